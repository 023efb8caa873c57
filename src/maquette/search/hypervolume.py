"""Logarithm of the expected hypervolume improvement, exact for two and three objectives.

What the front does not dominate below the reference point r is cut into disjoint boxes [l, u]. With
independent posteriors the expected gain of a point is a sum over boxes of products [1, 2]:

    EHVI(x) = sum_b prod_j (e_j(u_bj) - e_j(l_bj))
    e_j(t) = E (t - f_j(x))_+ = s_j h((t - m_j) / s_j)

which is computed in logs throughout, so that it has a gradient however small it is [3].

References
----------
.. [1] M. Emmerich, K. Yang, A. Deutz, H. Wang and C. M. Fonseca. A Multicriteria Generalization of
       Bayesian Global Optimization. 2016.
.. [2] S. Daulton, M. Balandat and E. Bakshy. Differentiable Expected Hypervolume Improvement for
       Parallel Multi-Objective Bayesian Optimization. NeurIPS 2020.
.. [3] S. Ament, S. Daulton, D. Eriksson, M. Balandat and E. Bakshy. Unexpected Improvements to
       Expected Improvement for Bayesian Optimization. NeurIPS 2023.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from maquette.pareto import boxes, front
from maquette.search.acquisition import C1, log_h
from maquette.surrogate.gp import Points
from maquette.surrogate.protocol import Predictive

Array = NDArray[np.float64]

# For two and three losses the reference point lies this share of the front's range beyond its worst
# values: far enough for the ends of a front to be worth extending. Of three losses a front has many
# ends, and would be extended before it is approached.
BEYOND = {2: 0.3, 3: 0.1}


@final
@dataclass(frozen=True, slots=True)
class LogEHVI:
    """log EHVI over a front; build it with `log_ehvi`.

    Attributes
    ----------
    posteriors
        Of each loss in standard units; pending trials are already believed.
    thresholds
        For each loss, the distinct finite coordinates t of the boxes' corners.
    lower, upper
        For each box and loss the index of its corner among the thresholds, -1 for -inf, shape
        (boxes, k).
    """

    posteriors: tuple[Predictive, ...]
    thresholds: tuple[Array, ...]
    lower: NDArray[np.intp]
    upper: NDArray[np.intp]

    def __call__(self, at: Points) -> Array:
        """Return the acquisition value at m points, shape (m,)."""
        total = np.zeros((len(at), len(self.lower)))
        for j, posterior in enumerate(self.posteriors):
            mean, variance = posterior.predict(at)
            sd = np.sqrt(variance)[:, None]
            log_e = log_h((self.thresholds[j] - mean[:, None]) / sd) + np.log(sd)
            total += self._difference(log_e, j)
        return _log_sum(total)

    def gradient(self, at: Points) -> tuple[float, Array]:
        """Return the acquisition value at one point, and its gradient by the features (p,)."""
        sides, slopes = np.zeros(len(self.lower)), []
        for j, posterior in enumerate(self.posteriors):
            mean, variance, d_mean, d_variance = posterior.gradient(at)
            sd = math.sqrt(variance)
            z = (self.thresholds[j] - mean) / sd
            side = self._difference((log_h(z) + math.log(sd))[None], j)[0]
            # d e / d m = -Phi(z), d e / d s = phi(z)
            by_mean = -np.exp(self._difference(log_ndtr(z)[None], j)[0] - side)
            density = -0.5 * z * z - C1
            by_sd = np.exp(density[self.upper[:, j]] - side)
            inner = self.lower[:, j] >= 0
            by_sd[inner] -= np.exp(density[self.lower[inner, j]] - side[inner])
            sides += side
            slopes.append((by_mean, by_sd, d_mean, d_variance / (2.0 * sd)))
        value = float(_log_sum(sides[None])[0])
        weight = np.exp(sides - value)
        slope = [(weight @ bm) * d_mean + (weight @ bs) * d_sd for bm, bs, d_mean, d_sd in slopes]
        return value, np.sum(slope, axis=0)

    def _difference(self, log_e: Array, j: int) -> Array:
        """Return log(e(u) - e(l)) of every box from log e at the thresholds (m, t)."""
        high, inner = log_e[:, self.upper[:, j]], self.lower[:, j] >= 0
        gap = np.minimum(log_e[:, self.lower[inner, j]] - high[:, inner], -1e-12)
        high[:, inner] += np.log(-np.expm1(gap))
        return high


def log_ehvi(posteriors: tuple[Predictive, ...], known: Array, margin: float) -> LogEHVI:
    """Return the target that improves on known points.

    Parameters
    ----------
    posteriors
        Of each of k losses, two or three, in standard units.
    known
        Posterior means of the losses at observed and pending configs, shape (n, k), n > 0.
    margin
        An improvement by less is worth nothing.
    """
    rows = known[front(known)]
    span = np.ptp(rows, axis=0)
    # While a front is a point or two, its range says little: all that is known stands by.
    worst = rows.max(axis=0) if len(rows) > 2 else known.max(axis=0)
    size = np.maximum(span, 0.1 * np.ptp(known, axis=0) + 1e-3)
    lower, upper = boxes(rows - margin, worst + BEYOND[known.shape[1]] * size)
    thresholds, low, high = [], np.empty_like(lower, dtype=np.intp), []
    for j in range(known.shape[1]):
        t = np.unique(np.concatenate([lower[:, j], upper[:, j]]))
        t = t[np.isfinite(t)]
        low[:, j] = np.where(np.isfinite(lower[:, j]), np.searchsorted(t, lower[:, j]), -1)
        high.append(np.searchsorted(t, upper[:, j]))
        thresholds.append(t)
    return LogEHVI(posteriors, tuple(thresholds), low, np.stack(high, axis=1))


def _log_sum(values: Array) -> Array:
    """Return log sum exp over rows of values (m, boxes), shape (m,)."""
    highest = values.max(axis=1)
    return np.asarray(highest + np.log(np.exp(values - highest[:, None]).sum(axis=1)))
