"""Where a sweep at the target would find the best value, which is not quite where the optimum is.

A sweep calls the luckiest of the good runs best. For each setting it is followed along its own
grid, the others at their best, where the excess is u^2 / (2 (H^-1)_jj): each value has the luck of
the best run made with it, and where the grid lies about the optimum is chance. Runs off any grid
are followed on one so fine that luck decides between neighbours.
"""

from __future__ import annotations

import math

import numpy as np

from maquette.scaling.coordinates import Array
from maquette.scaling.runs import Runs
from maquette.scaling.target import Target

LUCK = (1.0, 0.75)  # spread of the least of one normal variable, and of three: other settings vary
FINE = 0.5  # of the distance at which the excess is half the noise: no sweep resolves less
REACH = 4.0  # such distances: farther out nobody wins
SAME = 0.002  # share of the range: values nearer to each other are one, rounded differently


def steps(runs: Runs) -> Array:
    """Return the step of the grid that each numeric setting was tried on (p,); 0 where on none."""
    out = np.zeros(len(runs.numeric))
    for j, setting in enumerate(runs.numeric):
        x = np.sort(runs.x[np.isfinite(runs.x[:, j]), j])
        gaps = np.diff(x)
        gaps = gaps[gaps > SAME * (setting.high - setting.low)]
        if gaps.size and gaps.size + 1 <= x.size / 2:
            out[j] = float(np.median(gaps))
    return out


def measured(target: Target, runs: Runs, sigma: float, rng: np.random.Generator) -> Array:
    """Draw the values that a sweep at the target would call best, in coordinates (S, p).

    Parameters
    ----------
    target
        Draws of the optimum and the valley.
    runs
        What was tried: the sweep is as fine, and no wider.
    sigma
        Noise of one run near the best (log loss).
    rng
        Of the luck.
    """
    count, p = target.centre.shape
    if not p:
        return target.centre
    width = np.asarray([s.high - s.low for s in runs.numeric])
    hessian = target.slopes(np.median(target.centre, 0))[1]
    far = np.sqrt(np.diag(np.linalg.inv(hessian / sigma + np.diag(12.0 / width**2))))
    luck = LUCK[0] if p == 1 else LUCK[1]
    off = np.empty((count, p))
    for j, step in enumerate(np.maximum(steps(runs), FINE * far)):
        reach = math.ceil(REACH * far[j] / step)
        points = step * (rng.random((count, 1)) - 0.5 + np.arange(-reach, reach + 1))
        excess = 0.5 * (points / far[j]) ** 2 + luck * rng.standard_normal(points.shape)
        off[:, j] = points[np.arange(count), np.argmin(excess, 1)]
    return np.asarray(target.centre + off)
