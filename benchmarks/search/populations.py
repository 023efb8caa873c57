"""Searchers by populations and frugal ones against random search, each also on its home ground.

Made-up problems, the same trials and seeds for all. One line for each run: problem, searcher, seed,
the best loss at each number of trials and, where trials have prices, what was spent to the target.

    python benchmarks/search/populations.py --out FOLDER
    python benchmarks/search/populations.py --summary FOLDER
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from maquette.events import Ended
from maquette.history import Problem
from maquette.objective import Objective
from maquette.pareto import hypervolume
from maquette.search import CEM, CFO, CMAES, DE, GP, TPE, BlendSearch, Genetic, Random, Searcher
from maquette.space import Choice, Float, Int, Space
from maquette.testing.script import Script, ask
from maquette.trial import Job, State

Config = Mapping[str, Any]
TRIALS = (50, 100, 200)
SEARCHERS: Mapping[str, Callable[[], Searcher]] = {
    "random": Random,
    "de": DE,
    "genetic": Genetic,
    "genetic:age": lambda: Genetic(survival="age"),
    "cem": CEM,
    "cfo": CFO,
    "blendsearch": BlendSearch,
    "cmaes": CMAES,
    "tpe": TPE,
}
SEVERAL = {"random": Random, "genetic": Genetic, "tpe": TPE, "gp": GP}
# For comparison, on the first seeds alone: they take most of the time.
REFERENCES, REFERENCE_SEEDS = ("cmaes", "tpe", "gp"), 7
PRICED = {"random": Random, "cfo": CFO, "blendsearch": BlendSearch, "tpe": TPE}


def cube(d: int) -> Space:
    # The defaults are at the middle, and no optimum is.
    return Space({f"x{i}": Float(0, 1) for i in range(d)})


def vector(config: Config) -> np.ndarray:
    return np.array([config[f"x{i}"] for i in range(len(config))])


def sphere(config: Config) -> float:
    return float(((vector(config) - 0.73) ** 2).sum())


def rosenbrock(config: Config) -> float:
    z = 4 * vector(config) - 1.5
    return float((100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum())


def rastrigin(config: Config) -> float:
    z = (vector(config) - 0.73) * 10.24
    return float((z * z - 10 * np.cos(2 * np.pi * z) + 10).sum())


def bits(config: Config) -> float:
    """Count ones: choices and numbers, all alike."""
    return 1.0 - sum(config.values()) / len(config)


def mixed(config: Config) -> float:
    loss = sum((config[f"x{i}"] - 0.3) ** 2 for i in range(3))
    loss += sum(((config[f"n{i}"] - 29) / 40) ** 2 for i in range(2))
    loss += 0.1 * (math.log(config["width"]) - math.log(90)) ** 2
    return loss + 0.3 * sum("dbca".index(config[f"c{i}"]) for i in range(2))


def network(config: Config) -> float:
    """Six layers are best, each with a width of its own."""
    depth = config["depth"]
    loss = 0.05 * (depth - 6) ** 2 + 0.3 * (config["kind"] != "b")
    return loss + sum(abs(config[f"w{i}"] - 0.12 * i) for i in range(1, depth + 1)) / depth


BITS = Space(
    {**{f"b{i}": Choice([0, 1]) for i in range(8)}, **{f"x{i}": Float(0, 1) for i in range(8)}}
)
MIXED = Space(
    {
        **{f"x{i}": Float(0, 1) for i in range(3)},
        **{f"n{i}": Int(0, 40) for i in range(2)},
        "width": Int(1, 512, log=True),
        **{f"c{i}": Choice(["a", "b", "c", "d"]) for i in range(2)},
    }
)
NETWORK = Space(
    {
        "depth": Int(1, 8, default=2),
        **{f"w{i}": Float(0, 1, when={"depth": (i, 8)}) for i in range(1, 9)},
        "kind": Choice(["a", "b", "c"]),
    }
)
PROBLEMS: Mapping[str, tuple[Space, Callable[[Config], float]]] = {
    "sphere, 5": (cube(5), sphere),
    "rosenbrock, 5": (cube(5), rosenbrock),
    "rastrigin, 10": (cube(10), rastrigin),
    "bits, 16": (BITS, bits),
    "mixed, 8": (MIXED, mixed),
    "network, 3 to 10": (NETWORK, network),
}


def best(make: Callable[[], Searcher], name: str, seed: int) -> dict[str, float]:
    space, function = PROBLEMS[name]
    script, searcher = Script(Problem(space, Objective("loss"), seed=seed)), make()
    for _ in range(TRIALS[-1]):
        (suggestion,) = ask(script.history, searcher)
        script.end(script.propose(Job(suggestion)), function(suggestion.config))
    loss = np.minimum.accumulate(script.history.finished.loss)
    return {str(t): float(loss[t - 1]) for t in TRIALS}


# --- several metrics ---

BOWLS = Space({**cube(3), "c": Choice(list("abcd"))})


def bowls(config: Config) -> dict[str, float]:
    beside = 0.5 * config["x2"] + 0.1 * "dbca".index(config["c"])
    x, y = config["x0"], config["x1"]
    pairs = zip("fg", (0.2, 0.8), strict=True)
    return {name: (x - a) ** 2 + (y - a) ** 2 + beside for name, a in pairs}


def missed(make: Callable[[], Searcher], seed: int) -> dict[str, float]:
    """Hypervolume that is missing after each number of trials."""
    script = Script(Problem(BOWLS, Objective(minimize=["f", "g"]), seed=seed))
    searcher = make()
    t = np.linspace(0.2, 0.8, 1000)
    whole = hypervolume(np.stack([2 * (t - 0.2) ** 2, 2 * (t - 0.8) ** 2], axis=1), np.ones(2))
    for _ in range(100):
        (suggestion,) = ask(script.history, searcher)
        job = script.propose(Job(suggestion))
        trial = script.history.jobs[job].trial
        script.write(Ended(trial, job, State.DONE, bowls(suggestion.config)))
    losses = script.history.finished.losses
    return {str(n): whole - hypervolume(losses[:n], np.ones(2)) for n in (50, 100)}


# --- trials of unequal price ---

COSTLY = Space({f"x{i}": Float(0, 1, default=0.5 if i else 0.0) for i in range(5)})


def spent(make: Callable[[], Searcher], seed: int, most: int = 400) -> dict[str, float]:
    """Cost until Ackley's function is within a tenth of its range; the optimum is costly.

    A run that has not arrived after `most` trials counts with what it has spent.
    """
    script, searcher, total = Script(Problem(COSTLY, Objective("loss"), seed=seed)), make(), 0.0
    z0 = np.array([0.85, 0.4, 0.4, 0.4, 0.4])
    for _ in range(most):
        (suggestion,) = ask(script.history, searcher)
        z = (vector(suggestion.config) - z0) * 20
        far = math.exp(-0.2 * math.sqrt((z * z).mean()))
        loss = float(20 + math.e - 20 * far - math.exp(np.cos(2 * np.pi * z).mean()))
        cost = math.exp(3 * suggestion.config["x0"])
        total += cost
        script.end(script.propose(Job(suggestion)), loss, cost=cost)
        if loss <= 2.2:
            break
    first = float(script.history.finished.cost[:5].max())
    return {"cost": total, "arrived": float(loss <= 2.2), "dearest of first five": first}


def runs(seeds: int, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = out / "runs.jsonl"
    known = set()
    if path.exists():
        for line in path.read_text().splitlines():
            row = json.loads(line)
            known.add((row["problem"], row["searcher"], row["seed"]))
    with path.open("a") as file:
        for seed in range(seeds):
            work = [(p, s, partial(best, m, p)) for p in PROBLEMS for s, m in SEARCHERS.items()]
            work += [("two bowls", s, partial(missed, m)) for s, m in SEVERAL.items()]
            work += [("costly ackley", s, partial(spent, m)) for s, m in PRICED.items()]
            for p, s, act in work:
                spare = s in REFERENCES and seed >= REFERENCE_SEEDS
                if (p, s, seed) not in known and not spare:
                    row = {"problem": p, "searcher": s, "seed": seed, "found": act(seed)}
                    print(json.dumps(row), file=file, flush=True)


def summary(out: Path) -> None:
    """Print medians, and the two-sided p of Wilcoxon's signed ranks against random search."""
    rows = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    table: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    for row in rows:
        for key, value in row["found"].items():
            cell = table.setdefault((row["problem"], key), {}).setdefault(row["searcher"], {})
            cell[row["seed"]] = value
    for (name, key), found in table.items():
        print(f"| {name} | {key} |", end="")
        for searcher, values in found.items():
            chance = found["random"]
            shared = sorted(values.keys() & chance.keys())
            gaps = [values[s] - chance[s] for s in shared]
            p = float(wilcoxon(gaps).pvalue) if any(gaps) and len(gaps) > 5 else 1.0
            text = f"{np.median([values[s] for s in shared]):.3g}"
            print(f" {searcher} {text}" + (f" ({p:.0e})" if searcher != "random" else ""), end=" |")
        print(f" n={len(shared)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summary", type=Path)
    args = parser.parse_args()
    if args.out:
        runs(args.seeds, args.out)
    if args.summary or args.out:
        summary(args.summary or args.out)


if __name__ == "__main__":
    main()
