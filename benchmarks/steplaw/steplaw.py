"""The Step Law table and the excess of a prediction, as the record defines them.

The data (github.com/step-law/steplaw, `data/dense_lr_bs_loss.csv`) is read from
``$MAQUETTE_DATA/steplaw/dense.csv``; `bs` is in sequences of 2,048 tokens, the loss is
`smooth loss`.
"""

from __future__ import annotations

import csv
import math
import os
import sys
from pathlib import Path

import numpy as np
from scipy.interpolate import LinearNDInterpolator

COLUMNS = {"lr": "lr", "bs": "bs", "N": "N", "D": "D", "loss": "smooth loss"}
OUTSIDE = 0.002


def load() -> dict[str, np.ndarray]:
    folder = os.environ.get("MAQUETTE_DATA")
    if not folder or not (path := Path(folder) / "steplaw" / "dense.csv").exists():
        sys.exit("set MAQUETTE_DATA to the folder that holds steplaw/dense.csv")
    with path.open(newline="") as f:
        rows = list(csv.DictReader(f))
    return {name: np.asarray([float(r[c]) for r in rows]) for name, c in COLUMNS.items()}


def take(table: dict[str, np.ndarray], index: np.ndarray) -> dict[str, np.ndarray]:
    return {k: v[index] for k, v in table.items()}


def cells(table: dict[str, np.ndarray]) -> list[tuple[float, float]]:
    return sorted(set(zip(table["N"].tolist(), table["D"].tolist(), strict=True)))


def small(table: dict[str, np.ndarray]) -> np.ndarray:
    return (table["N"] < 3e8) & (table["D"] <= 2.5e10)


def large(table: dict[str, np.ndarray]) -> np.ndarray:
    return table["N"] > 4e8


class Cell:
    """Measured losses of one (N, D), to score predictions with."""

    def __init__(self, table: dict[str, np.ndarray], n: float, d: float) -> None:
        mine = (table["N"] == n) & (table["D"] == d)
        self.points = np.log(np.stack([table["lr"][mine], table["bs"][mine]], 1))
        self.loss = table["loss"][mine]
        self.best = float(self.loss.min())
        self.inside = LinearNDInterpolator(self.points, self.loss)

    def excess(self, lr: float, bs: float) -> float:
        x = np.log([lr, bs])
        value = float(self.inside(x)[0])
        if math.isnan(value):
            near = int(np.argmin(((self.points - x) ** 2).sum(1)))
            value = float(self.loss[near]) * (1 + OUTSIDE)
        return value / self.best - 1.0
