"""What the past of other tables is worth on one, and what a misleading past costs.

Each table of a family in turn is the present one, the others are the past: 80 configs of each drawn
at random and measured once. Beside no past: all others; one other; and pasts meant to mislead, one
other whose losses are shuffled, or negated. Regret is that of the config with the lowest loss
observed, between the table's optimum (0) and the median of random configs (1).

    python benchmarks/search/warmstart.py --out FOLDER [--seeds 5] [--families hpobench,taskset]
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from maquette.bench.catalogue import family, load
from maquette.bench.task import Task
from maquette.errors import BenchmarkError
from maquette.past import Past
from maquette.problem import Problem
from maquette.search import GP
from maquette.testing.script import search

TRIALS, MEASURED = 30, 80
MARKS = (1, 2, 3, 5, 7, 10, 15, 20, 25, 30)
KINDS = ("none", "others", "one", "shuffled", "negated")


def past(task: Task, seed: int, kind: str) -> Past:
    rng = np.random.default_rng([seed, len(task.name)])
    configs = task.space.sample(rng, MEASURED)
    losses = task.losses(configs, rng.integers(task.rows, size=MEASURED))
    if kind == "shuffled":
        losses = rng.permutation(losses)
    if kind == "negated":
        losses = -losses
    told = [i for i in range(MEASURED) if math.isfinite(losses[i])]
    name = task.name.rpartition("/")[2]
    return Past(name, tuple(configs[i] for i in told), tuple(float(losses[i]) for i in told))


def course(task: Task, pasts: tuple[Past, ...], seed: int) -> list[float]:
    rows = np.random.default_rng(seed).integers(task.rows, size=TRIALS)
    drawn = iter(rows.tolist())

    def measure(config: dict) -> float:
        return float(task.losses([config], [next(drawn)])[0])

    asked = replace(Problem(task.space, task.objective, seed=seed), past=pasts)
    if not task.objective.signs[0] > 0:
        asked = replace(asked, objective=type(task.objective)("loss"))
    history = search(asked, GP(), measure, TRIALS).history
    seen = np.where(np.isfinite(history.finished.loss), history.finished.loss, np.inf)
    best = [int(np.argmin(seen[:m])) for m in MARKS]
    return task.regret([history.trials[i].config for i in best]).tolist()


def there(name: str) -> bool:
    """Whether a table is in the data folder."""
    try:
        load(name)
    except BenchmarkError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--families", default="hpobench,fcnet,taskset")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "warmstart.jsonl").open("w", encoding="utf-8") as file:
        for seed in range(given.seeds):
            for kin in given.families.split(","):
                names = [name for name in family(kin).names if there(name)]
                for i, name in enumerate(names):
                    task, others = load(name), [n for n in names if n != name]
                    one = others[(seed + i) % len(others)]
                    for kind in KINDS:
                        used = {"none": [], "others": others}.get(kind, [one])
                        pasts = tuple(past(load(n), seed, kind) for n in used)
                        row = {"task": name, "past": kind, "of": used, "seed": seed}
                        row |= {"trials": MARKS, "regret": course(task, pasts, seed)}
                        file.write(json.dumps(row) + "\n")
                        file.flush()


if __name__ == "__main__":
    main()
