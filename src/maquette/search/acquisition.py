"""Logarithm of the expected improvement, for feasible trials.

What a study recommends is the config of the lowest posterior mean. So what counts is not how low a
loss may lie at a config but how low one measurement may bring the mean there: with posterior
variance s^2 and noise variance tau^2 the mean moves by a normal amount of variance

    s_Q^2 = s^4 / (s^2 + tau^2)  [2],

which is s^2 where nothing is noisy, and almost nothing where a config is known better than a
measurement could tell: improvement by s alone would be expected around the incumbent for ever.

References
----------
.. [1] S. Ament, S. Daulton, D. Eriksson, M. Balandat and E. Bakshy. Unexpected Improvements to
       Expected Improvement for Bayesian Optimization. NeurIPS 2023.
.. [2] V. Picheny, D. Ginsbourger, Y. Richet and G. Caplin. Quantile-Based Optimization of Noisy
       Computer Experiments With Tunable Precision. Technometrics 55(1), 2013. Their quantile here
       is the median.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr

from maquette.surrogate.gp import Points
from maquette.surrogate.protocol import Predictive

Array = NDArray[np.float64]

# An improvement by less, in standard units, is worth nothing: the search looks elsewhere instead of
# polishing an optimum to the last digit.
MARGIN = 1e-3
C1 = 0.5 * math.log(2.0 * math.pi)  # -log phi(0)
_C2 = 0.5 * math.log(0.5 * math.pi)


def log_h(z: Array) -> Array:
    """Return log(phi(z) + z Phi(z)), exact to rounding however negative z is (eq. 9 of [1])."""
    z = np.asarray(z, dtype=float)
    near = np.maximum(z, -1.0)
    density = np.exp(-0.5 * near**2 - C1)
    direct = np.log(density + near * np.exp(log_ndtr(near)))
    far = -np.clip(z, -1e8, -1.0)
    # log(1 - x) with x = |z| sqrt(pi / 2) erfcx(|z| / sqrt(2)), which tends to 1 - 1 / z^2.
    inner = np.log1p(-np.exp(np.log(erfcx(far / math.sqrt(2.0)) * far) + _C2).clip(max=1 - 1e-16))
    tail = -0.5 * far**2 - C1 + np.where(far < 1e3, inner, -2.0 * np.log(far))
    return np.where(z > -1.0, direct, tail)


@runtime_checkable
class Target(Protocol):
    """What a search climbs: a function of points, and its gradient."""

    def __call__(self, at: Points) -> Array:
        """Return the values at m points, shape (m,)."""

    def gradient(self, at: Points) -> tuple[float, Array]:
        """Return the value at one point, and its gradient by the features (p,)."""


@final
@dataclass(frozen=True, slots=True)
class LogEI:
    """log EI [1] of the posterior mean, after one measurement, over the incumbent [2].

    Averaged over the members of a mixture.

    Parameters
    ----------
    posterior
        Of the loss in standard units; pending trials are already believed.
    incumbent
        What each of its J members would recommend: its lowest mean among observed and pending
        configs, at the fidelity asked for, shape (J,).
    """

    posterior: Predictive
    incumbent: Array

    def __call__(self, at: Points) -> Array:
        """Return the acquisition value at m points, shape (m,)."""
        mean, variance = self.posterior.each(at)
        sd = variance / np.sqrt(variance + self.posterior.noises[:, None])
        value = log_h((self.incumbent[:, None] - mean) / sd) + np.log(sd)
        return _log_mean(value, self.posterior.weight)

    def gradient(self, at: Points) -> tuple[float, Array]:
        """Return the acquisition value at one point, and its gradient by the features (p,)."""
        mean, variance, d_mean, d_variance = self.posterior.slopes(at)
        measured = variance + self.posterior.noises
        sd = variance / np.sqrt(measured)
        d_sd = d_variance * ((1.0 - 0.5 * variance / measured) / np.sqrt(measured))[:, None]
        z = (self.incumbent - mean) / sd
        h = log_h(z)
        # h'(z) = Phi(z)
        ratio = np.exp(log_ndtr(z) - h)
        slope = (ratio[:, None] * (-d_mean - z[:, None] * d_sd) + d_sd) / sd[:, None]
        value = h + np.log(sd) + np.log(self.posterior.weight)
        highest = float(value.max())
        share = np.exp(value - highest)
        return highest + math.log(share.sum()), (share / share.sum()) @ slope


def _log_mean(value: Array, weight: Array) -> Array:
    """Return the log of the weighed mean over J rows of exp(value), of shape (J, m): (m,)."""
    if len(value) == 1:
        return np.asarray(value[0])
    highest = value.max(axis=0)
    return np.asarray(highest + np.log(weight @ np.exp(value - highest)))


@final
@dataclass(frozen=True, slots=True)
class Constrained:
    """A target times the chance of being feasible, in logs: constrained expected improvement.

    Parameters
    ----------
    target
        The log of what a feasible trial is worth; None while no trial is known to be feasible:
        the search is for one that is.
    chance
        Log probability of being feasible.
    """

    target: Target | None
    chance: Target

    def __call__(self, at: Points) -> Array:
        """Return the sum at m points, shape (m,)."""
        value = self.chance(at)
        return value if self.target is None else value + self.target(at)

    def gradient(self, at: Points) -> tuple[float, Array]:
        """Return the sum at one point, and its gradient by the features (p,)."""
        value, slope = self.chance.gradient(at)
        if self.target is None:
            return value, slope
        worth, gradient = self.target.gradient(at)
        return value + worth, slope + gradient
