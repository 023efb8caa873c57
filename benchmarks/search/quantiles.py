"""Conformal quantile regression: best regret on known functions, and configs found under halving.

python benchmarks/search/quantiles.py
"""

from __future__ import annotations

import math

import numpy as np

import maquette as mq
from maquette.search import CQR, TPE, Random
from maquette.testing.problems import KNOWN, Known, problem
from maquette.testing.script import search

SPACE = {f"x{i}": mq.Float(0, 1) for i in range(4)}


def regret(known: Known, make: type, seed: int) -> float:
    history = search(problem(known.space, seed), make(), known.function, known.trials).history
    return float(history.finished.loss.min()) - known.least


def floor(config: dict) -> float:
    return 0.05 + 3 * float(np.mean([(config[f"x{i}"] - 0.37) ** 2 for i in range(4)]))


def curve(trial: mq.Trial) -> float:
    """A power law down to its floor, with noise of 0.05."""
    rng = np.random.default_rng(trial.seed)
    rate = 0.8 * math.exp(0.3 * rng.standard_normal())
    y = math.nan
    for t in range(1, 28):
        y = floor(trial) + (0.9 - floor(trial)) * (1 + t) ** -rate
        y += 0.05 * rng.standard_normal()
        if not trial.report(t, loss=y):
            break
    return y


def halving(searcher: object, seed: int) -> tuple[float, float]:
    """Return the true floor of the config recommended, and the median of the last 20 proposals."""
    study = mq.Study(
        "s",
        SPACE,
        curve,
        searcher=searcher,
        scheduler="asha",
        seed=seed,
        fidelity={"steps": (1, 27)},
    )
    best = study.run(60)
    return floor(best.config), float(np.median([floor(t.config) for t in study.trials[-20:]]))


def main() -> None:
    for known in KNOWN:
        for make in (CQR, TPE, Random):
            found = np.median([regret(known, make, seed) for seed in range(5)])
            print(known.name, known.trials, make.__name__.lower(), f"{found:.3g}", flush=True)
    for name, make in (("asha+cqr", lambda: CQR(candidates=400)), ("asha+random", Random)):
        found = np.array([halving(make(), seed) for seed in range(8)])
        print(name, np.round(found[:, 0], 3), np.round(found[:, 1], 3), flush=True)


if __name__ == "__main__":
    main()
