"""How wide intervals must be: learnt by predicting the largest scales from the smaller ones.

The largest third of the scales is left out; what the rest predicts for their optimum and floor is
compared with what their own rows say. Squared misses, in units of the two spreads together, are
averaged with a prior that stands for how well such spreads usually hold, so that with few scales
the prior decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.scaling.coordinates import Array
from maquette.scaling.mean import Rows, log_floor, mean_jacobian, optimum
from maquette.scaling.posterior import Mode, Problem, find_mode
from maquette.scaling.selection import Index, without_cells

PRIOR_ROWS = 8.0
PRIOR_OPTIMUM, PRIOR_FLOOR = 1.0, 1.3  # chosen on synthetic tables of four families
LEAST_SCALES = 4


@final
@dataclass(frozen=True, slots=True)
class Calibration:
    """Factors on the spread of the optimum and of the floor, and how many scales they saw.

    ``misses`` holds the root mean squared miss of optimum and floor before shrinkage, ``tested``
    the number of scales that were predicted from smaller ones.
    """

    optimum: float
    floor: float
    tested: int
    misses: tuple[float, float]


def calibrate(problem: Problem, mode: Mode, s: Array, cell: Index) -> Calibration:
    """Leave the largest third of the scales out and compare.

    Parameters
    ----------
    problem, mode
        The best candidate and its fit to all rows.
    s, cell
        Distinct scales (C, A) and the scale of each row (n,).
    """
    lay = problem.layout
    own = [int(np.flatnonzero(problem.rows.e[:, i])[0]) for i in range(lay.cells)]
    order = sorted(own, key=lambda row: float(s[cell[row]].sum()))
    if len(order) < LEAST_SCALES:
        return Calibration(PRIOR_OPTIMUM, PRIOR_FLOOR, 0, (1.0, 1.0))
    held = np.asarray(order[-(len(order) // 3) :])
    kept = np.flatnonzero(~np.isin(cell, cell[held]))
    start = without_cells(problem, mode.theta)
    small = find_mode(problem.take(kept), start, mode.scatter, steps=20, warm=True)
    rows = problem.rows.take(held)
    far = Rows(rows.x, rows.s, rows.g, np.zeros_like(rows.e))
    a = moments(problem, mode, rows)
    b = moments(problem, small, far)
    x2 = (a[0] - b[0]) ** 2 / (a[1] + b[1] + small.shift_sd**2)
    f2 = (a[2] - b[2]) ** 2 / (a[3] + b[3] + small.level_sd**2)
    miss = (float(x2.mean()) if x2.size else 1.0, float(f2.mean()))
    n = len(held)
    optimum_factor = (PRIOR_ROWS * PRIOR_OPTIMUM**2 + n * miss[0]) / (PRIOR_ROWS + n)
    floor_factor = (PRIOR_ROWS * PRIOR_FLOOR**2 + n * miss[1]) / (PRIOR_ROWS + n)
    return Calibration(
        float(np.sqrt(optimum_factor)),
        float(np.sqrt(floor_factor)),
        n,
        (float(np.sqrt(miss[0])), float(np.sqrt(miss[1]))),
    )


def moments(problem: Problem, mode: Mode, rows: Rows) -> tuple[Array, Array, Array, Array]:
    """Mean and variance of the optimum (n, p) and of the log floor (n,) at some rows."""
    lay = problem.layout
    parts = lay.split(mode.theta)
    x = optimum(parts, rows)
    first = lay.starts[3]
    variance = np.zeros_like(x)
    for j in range(lay.p):
        index = first + np.arange(lay.m) * lay.p + j
        cov = mode.covariance[np.ix_(index, index)]
        variance[:, j] = ((rows.z @ cov) * rows.z).sum(1)
    # At the optimum the mean is the floor, and so is its gradient.
    _, _, jac = mean_jacobian(lay, mode.theta, Rows(x, rows.s, rows.g, rows.e))
    return x, variance, log_floor(parts, rows), ((jac @ mode.covariance) * jac).sum(1)
