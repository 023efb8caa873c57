"""How long one suggestion takes after n finished trials, beside Optuna in the same process.

A mixed space of ten dimensions (five log, two linear, two integers, one choice), a smooth loss, n
random finished trials; then trials are asked for and told one by one, and each ask is timed.

    python benchmarks/search/overhead.py --out FOLDER     (in an environment with optuna and torch)
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import optuna

from maquette.search import GP, TPE, Random
from maquette.space import Choice, Float, Int, Space
from maquette.testing.problems import problem
from maquette.testing.script import Script, ask
from maquette.trial import Job

SPACE = Space(
    {
        **{f"log{i}": Float(1e-5, 1.0, log=True) for i in range(5)},
        **{f"real{i}": Float(0.0, 1.0) for i in range(2)},
        **{f"int{i}": Int(1, 64) for i in range(2)},
        "choice": Choice(["a", "b", "c", "d"]),
    }
)


def loss(config: dict) -> float:
    value = sum((math.log10(config[f"log{i}"]) + 1 + 0.5 * i) ** 2 for i in range(5)) / 5
    value += sum((config[f"real{i}"] - 0.3) ** 2 for i in range(2))
    value += sum((config[f"int{i}"] / 64 - 0.6) ** 2 for i in range(2))
    return value + 0.2 * "abcd".index(config["choice"])


def ours(make: Callable[[], object], n: int, asks: int) -> list[float]:
    script, searcher = Script(problem(SPACE, 0)), make()
    for suggestion in ask(script.history, Random(), n=n):
        script.end(script.propose(Job(suggestion)), loss(suggestion.config))
    times = []
    for _ in range(asks):
        started = time.perf_counter()
        (suggestion,) = ask(script.history, searcher)
        times.append(time.perf_counter() - started)
        script.end(script.propose(Job(suggestion)), loss(suggestion.config))
    return times


def theirs(make: Callable[[], optuna.samplers.BaseSampler], n: int, asks: int) -> list[float]:
    study = optuna.create_study(sampler=make())
    distributions = {
        name: optuna.distributions.CategoricalDistribution(list(p.values))
        if isinstance(p, Choice)
        else optuna.distributions.IntDistribution(int(p.low), int(p.high))
        if isinstance(p, Int)
        else optuna.distributions.FloatDistribution(p.low, p.high, log=p.log)
        for name, p in SPACE.items()
    }
    study.add_trials(
        [
            optuna.trial.create_trial(params=c, distributions=distributions, value=loss(c))
            for c in SPACE.sample(np.random.default_rng(0), n)
        ]
    )
    times = []
    for _ in range(asks):
        started = time.perf_counter()
        trial = study.ask(distributions)
        times.append(time.perf_counter() - started)
        study.tell(trial, loss(trial.params))
    return times


CASES = {
    "maquette tpe": lambda n, k: ours(TPE, n, k),
    "optuna tpe": lambda n, k: theirs(lambda: optuna.samplers.TPESampler(seed=0), n, k),
    "optuna tpe, multivariate": lambda n, k: theirs(
        lambda: optuna.samplers.TPESampler(seed=0, multivariate=True), n, k
    ),
    "maquette gp": lambda n, k: ours(GP, n, k),
    "optuna gp": lambda n, k: theirs(lambda: optuna.samplers.GPSampler(seed=0), n, k),
}
LARGEST = {"maquette gp": 1000, "optuna gp": 100}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asks", type=int, default=20)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows = []
    for n in (100, 1000, 10000):
        for name, case in CASES.items():
            if n > LARGEST.get(name, 10**9):
                continue
            asks = args.asks if n < 10000 else max(5, args.asks // 4)
            times = sorted(case(n, asks))
            row = {
                "searcher": name,
                "trials": n,
                "median ms": round(1e3 * statistics.median(times), 2),
                "least ms": round(1e3 * times[0], 2),
                "most ms": round(1e3 * times[-1], 2),
                "asks": asks,
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        machine = {"python": platform.python_version(), "optuna": version("optuna")}
        document = {"machine": machine, "rows": rows}
        (args.out / "overhead.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
