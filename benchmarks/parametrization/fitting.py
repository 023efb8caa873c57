"""The best learning rate of a cell over several seeds: a parabola with an offset for each."""

from __future__ import annotations

import math

import numpy as np

WINDOW = 1.6  # octaves on either side of the vertex that the parabola is fitted to

Cell = dict[int, dict[float, float]]  # losses by log2 of the rate, by seed


def coefficients(cell: Cell, centre: float) -> tuple[float, float]:
    """Slope and curvature at `centre`, by least squares over the window; seeds have offsets."""
    seeds = sorted(cell)
    rows, y = [], []
    for seed in seeds:
        for octave, loss in cell[seed].items():
            if abs(octave - centre) <= WINDOW and math.isfinite(loss):
                x = octave - centre
                rows.append([x, x * x, *(float(seed == s) for s in seeds)])
                y.append(loss)
    b, c = np.linalg.lstsq(np.array(rows), np.array(y), rcond=None)[0][:2]
    return float(b), float(c)


def vertex(cell: Cell) -> float:
    """log2 of the rate that is best over all seeds."""
    best = [min(v, key=v.__getitem__) for v in cell.values()]
    centre = low = float(np.mean(best))
    for _ in range(8):
        b, c = coefficients(cell, centre)
        if c <= 0:
            return low
        step = max(-0.75, min(0.75, -b / (2 * c)))
        centre += step
        if abs(step) < 0.02:
            break
    octaves = [x for v in cell.values() for x in v]
    return max(min(octaves), min(max(octaves), centre))


def standard_error(cell: Cell) -> float:
    """Of the vertex, from the residuals of its parabola."""
    at = vertex(cell)
    rows, y = [], []
    for seed in sorted(cell):
        for octave, loss in cell[seed].items():
            if abs(octave - at) <= WINDOW and math.isfinite(loss):
                x = octave - at
                rows.append([x, x * x, *(float(seed == s) for s in sorted(cell))])
                y.append(loss)
    X, Y = np.array(rows), np.array(y)
    found, *_ = np.linalg.lstsq(X, Y, rcond=None)
    free = len(Y) - X.shape[1]
    if free < 1 or found[1] <= 0:
        return math.nan
    covariance = np.linalg.pinv(X.T @ X) * float(np.sum((Y - X @ found) ** 2)) / free
    # vertex = -b / 2c: the delta method.
    b, c = found[:2]
    by = np.array([-1 / (2 * c), b / (2 * c * c)])
    return float(np.sqrt(by @ covariance[:2, :2] @ by))
