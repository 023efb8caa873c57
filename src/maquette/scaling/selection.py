"""Which structure to believe: candidates weighed by leaving scales out inside the data at hand.

Every candidate is fitted without one group of scales and predicts how losses inside that group
differ from one another (their common level is the floor's affair); rows count by how near the
best they are, the same for all candidates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maquette.scaling.coordinates import Array
from maquette.scaling.mean import mean
from maquette.scaling.posterior import Mode, Problem, find_mode

Index = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

REGION = 0.005  # settings within about half a percent are what a recipe chooses among
FOLDS = 5
GROSS = 1.0  # a prediction wrong by a factor of e is no better than one wrong by more
ROWS_PER_GROUP = 5.0  # rows of one scale share its misfit: this many count as independent


def folds(s: Array, cell: Index, count: int = FOLDS) -> list[Index]:
    """Groups of rows to leave out: whole scales, or every count-th row where there is one scale."""
    distinct = np.unique(cell)
    if distinct.size < 2:
        return [np.arange(i, len(cell), count) for i in range(min(count, len(cell)))]
    order = distinct[np.argsort([s[cell == c][0].sum() for c in distinct], kind="stable")]
    groups = [order[i::count] for i in range(min(count, order.size))]
    return [np.flatnonzero(np.isin(cell, g)) for g in groups]


def weigh(
    problems: Sequence[Problem], modes: Sequence[Mode], cell: Index
) -> tuple[Array, Array, Array]:
    """Weights of candidates, their errors, and the error of "settings do not matter".

    Parameters
    ----------
    problems, modes
        Candidates and their fits to all rows.
    cell
        Index of the scale of each row (n,).

    Returns
    -------
    tuple
        Weights (K,) that sum to 1; mean squared errors (K,); null error (1,).
    """
    rows = problems[0].rows
    groups = folds(rows.s, cell)
    lowest = np.min([m.residual + m.excess for m in modes], axis=0)
    middle = modes[len(modes) // 2].scatter
    region = max(REGION, middle.sigma / middle.eta)
    near = 1.0 / (1.0 + (np.maximum(lowest, 0.0) / region) ** 2)
    error, null, total = np.zeros(len(problems)), 0.0, 0.0
    for group in groups:
        rest = np.setdiff1d(np.arange(len(cell)), group)
        if rest.size < 2:
            continue
        for i, (problem, mode) in enumerate(zip(problems, modes, strict=True)):
            fitted = find_mode(problem.take(rest), mode.theta, mode.scatter, steps=6, warm=True)
            held = problem.take(group)
            theta = without_cells(problem, fitted.theta)
            residual = held.t - mean(problem.layout.split(theta), held.rows)
            error[i] += _within(residual, near[group], cell[group])
        null += _within(problems[0].t[group], near[group], cell[group])
        total += float(near[group].sum())
    if total == 0.0:
        return np.full(len(problems), 1.0 / len(problems)), error, np.asarray([null])
    error, null = error / total, null / total
    count = min(total, ROWS_PER_GROUP * np.unique(cell).size)
    log_w = -0.5 * count * np.log(np.maximum(error, 1e-12))
    w = np.exp(log_w - log_w.max())
    return w / w.sum(), error, np.asarray([null])


def without_cells(problem: Problem, theta: Array) -> Array:
    """Return theta with the effects of single scales set to their mean, zero."""
    lay, c, out = problem.layout, problem.layout.starts, theta.copy()
    if lay.cells:
        out[c[3] - lay.cells : c[3]] = 0.0
        out[c[4] - lay.cells * lay.p : c[4]] = 0.0
    return out


def _within(residual: Array, near: Array, cell: Index) -> float:
    """Sum of weighted squares about the weighted mean of each scale.

    Far from the best a steep valley may miss by many e-folds: such rows must not drown the others.
    """
    _, index = np.unique(cell, return_inverse=True)
    weight = np.bincount(index, near)
    best = np.zeros(weight.size, dtype=np.int64)
    order = np.argsort(near, kind="stable")
    best[index[order]] = order  # of each scale, the row that counts most comes last
    about = np.clip(residual - residual[best[index]], -GROSS, GROSS)
    centre = np.bincount(index, near * about) / np.maximum(weight, 1e-300)
    return float(np.sum(near * np.clip(about - centre[index], -GROSS, GROSS) ** 2))
