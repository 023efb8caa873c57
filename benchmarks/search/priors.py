"""What a prior is worth, and what a wrong one costs: regret with a good one, a wrong one and none.

Hartmann's function of six variables and a valley over four log settings and a choice. A good prior
is centred a tenth of the range off the optimum, a wrong one almost half the range; both have a
standard deviation of 0.15 of the range.

    python benchmarks/search/priors.py --out FOLDER [--seeds 20]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from maquette.search import GP, TPE, Forest
from maquette.space import Choice, Float, Space
from maquette.testing.problems import KNOWN, problem
from maquette.testing.script import search

HARTMANN = KNOWN[1]
OPTIMUM = np.array([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573])
MARKS = (5, 10, 15, 20, 30, 45)
SPREAD = 0.15


def centres(optimum: np.ndarray, kind: str, seed: int) -> np.ndarray:
    if kind == "wrong":
        return np.where(optimum > 0.5, optimum - 0.45, optimum + 0.45)
    away = np.random.default_rng(seed).choice([-0.1, 0.1], size=len(optimum))
    return np.clip(optimum + away, 0.02, 0.98)


def hartmann(kind: str, seed: int) -> tuple[Space, object, float]:
    at = centres(OPTIMUM, kind, seed)
    priors = [None] * 6 if kind == "none" else [(float(c), SPREAD) for c in at]
    space = Space({f"x{i}": Float(0.0, 1.0, prior=priors[i]) for i in range(6)})
    return space, HARTMANN.function, HARTMANN.least


def valley(kind: str, seed: int) -> tuple[Space, object, float]:
    optimum = np.array([0.3, 0.7, 0.4, 0.8])
    at = 10 ** (-4.0 + 4.0 * centres(optimum, kind, seed))
    priors = [None] * 4 if kind == "none" else [(float(c), 10 ** (4 * SPREAD)) for c in at]
    space = Space(
        {
            **{f"s{i}": Float(1e-4, 1.0, log=True, prior=priors[i]) for i in range(4)},
            "kind": Choice(["a", "b", "c"]),
        }
    )

    def loss(config: dict) -> float:
        u = np.array([(np.log10(config[f"s{i}"]) + 4) / 4 for i in range(4)]) - optimum
        value = 4 * (u**2).sum() + 3 * (u[0] + u[1]) ** 2
        return float(value + 0.3 * "bca".index(config["kind"]))

    return space, loss, 0.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args()
    rows = []
    for name, make_task in (("hartmann6", hartmann), ("valley", valley)):
        for make in (GP, TPE, Forest):
            for kind in ("none", "good", "wrong"):
                for seed in range(given.seeds):
                    space, function, least = make_task(kind, seed)
                    losses = search(problem(space, seed), make(), function, MARKS[-1])
                    best = np.minimum.accumulate(losses.history.finished.loss) - least
                    regret = [float(best[m - 1]) for m in MARKS]
                    row = {"task": name, "searcher": make.__name__.lower(), "prior": kind}
                    rows.append({**row, "seed": seed, "trials": MARKS, "regret": regret})
                mine = np.median([r["regret"] for r in rows[-given.seeds :]], axis=0)
                cells = " | ".join(f"{v:.3g}" for v in mine)
                print(f"| {name} | {make.__name__.lower()} | {kind} | {cells} |", flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    text = "\n".join(json.dumps(row) for row in rows)
    (given.out / "priors.jsonl").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
