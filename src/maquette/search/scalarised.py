"""Logarithm of the expected improvement of a randomly weighted Chebyshev scalarisation.

For more objectives than a hypervolume is cheap in. With weights w drawn anew for every suggestion,
and losses y scaled to [0, 1] over what is known [1],

    c(y) = max_j w_j y_j + rho sum_j w_j y_j

every minimum of which is Pareto optimal. It is not c that is modelled but each loss, smoother than
c is; the expectation is over fixed draws of the normal [2], with max(0, u) rounded off so that it
has a gradient everywhere.

References
----------
.. [1] J. Knowles. ParEGO: A Hybrid Algorithm with On-line Landscape Approximation for Expensive
       Multiobjective Optimization Problems. IEEE Transactions on Evolutionary Computation 10, 2006.
.. [2] S. Daulton, M. Balandat and E. Bakshy. Differentiable Expected Hypervolume Improvement for
       Parallel Multi-Objective Bayesian Optimization. NeurIPS 2020. (Section 5, qParEGO.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.surrogate.gp import Points
from maquette.surrogate.protocol import Predictive

Array = NDArray[np.float64]

RHO = 0.05
DRAWS = 64
# Improvements are rounded off at this scale, in units of the known range.
SOFT = 0.005


@final
@dataclass(frozen=True, slots=True)
class LogScalarisedEI:
    """log E of the softplus of the improvement; build it with `log_scalarised_ei`.

    Attributes
    ----------
    posteriors
        Of each loss in standard units; pending trials are already believed.
    ideal, weight
        Scaling of the losses, y = (f - ideal) weight, where weight holds w / range; shape (k,).
    incumbent
        The least c among known points.
    draws
        Fixed draws of the normal, shape (draws, k).
    """

    posteriors: tuple[Predictive, ...]
    ideal: Array
    weight: Array
    incumbent: float
    draws: Array

    def __call__(self, at: Points) -> Array:
        """Return the acquisition value at m points, shape (m,)."""
        found = [posterior.predict(at) for posterior in self.posteriors]
        mean = np.stack([m for m, _ in found], axis=1)
        sd = np.sqrt(np.stack([v for _, v in found], axis=1))
        y = (mean[:, None] + sd[:, None] * self.draws - self.ideal) * self.weight
        c = y.max(axis=2) + RHO * y.sum(axis=2)
        gain = _log_softplus((self.incumbent - c) / SOFT)
        highest = gain.max(axis=1)
        return np.asarray(highest + np.log(np.exp(gain - highest[:, None]).mean(axis=1)))

    def gradient(self, at: Points) -> tuple[float, Array]:
        """Return the acquisition value at one point, and its gradient by the features (p,)."""
        found = [posterior.gradient(at) for posterior in self.posteriors]
        mean = np.array([m for m, _, _, _ in found])
        sd = np.sqrt([v for _, v, _, _ in found])
        y = (mean + sd * self.draws - self.ideal) * self.weight
        c = y.max(axis=1) + RHO * y.sum(axis=1)
        u = (self.incumbent - c) / SOFT
        gain = _log_softplus(u)
        value = float(gain.max() + math.log(np.exp(gain - gain.max()).mean()))
        share = np.exp(gain - value) / len(gain)
        # d log softplus(u) / du = sigmoid(u) / softplus(u)
        by_c = share * np.exp(-np.logaddexp(0.0, -u) - gain) / -SOFT
        by_y = by_c[:, None] * (RHO + (y == y.max(axis=1)[:, None])) * self.weight
        slope = np.zeros(at.Z.shape[1])
        for j, (_, _, d_mean, d_variance) in enumerate(found):
            by_sd = float(by_y[:, j] @ self.draws[:, j])
            slope += by_y[:, j].sum() * d_mean + by_sd * d_variance / (2.0 * sd[j])
        return value, slope


def log_scalarised_ei(
    posteriors: tuple[Predictive, ...], known: Array, margin: float, rng: np.random.Generator
) -> LogScalarisedEI:
    """Return the target for weights drawn from the simplex.

    Parameters
    ----------
    posteriors
        Of each of k losses in standard units.
    known
        Posterior means of the losses at observed and pending configs, shape (n, k), n > 0.
    margin
        An improvement by less is worth nothing.
    rng
        Draws the weights and the normal draws.
    """
    k = known.shape[1]
    ideal, span = known.min(axis=0), np.ptp(known, axis=0)
    w = rng.dirichlet(np.ones(k))
    weight = w / np.where(span > 0, span, 1.0)
    y = (known - ideal) * weight
    incumbent = float((y.max(axis=1) + RHO * y.sum(axis=1)).min()) - margin
    half = rng.standard_normal((DRAWS // 2, k))
    return LogScalarisedEI(posteriors, ideal, weight, incumbent, np.concatenate([half, -half]))


def _log_softplus(u: Array) -> Array:
    """Return log log(1 + e^u), which tends to u below and to log u above."""
    return np.asarray(np.where(u < -30.0, u, np.log(np.logaddexp(0.0, np.maximum(u, -30.0)))))
