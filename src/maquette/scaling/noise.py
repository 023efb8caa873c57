"""Noise and misfit: which rows count, and how much.

Residuals are Student-t. Their scale has two parts,

    s^2 = sigma^2 ((1 - rho) + rho / n) + (eta V)^2

noise near the floor, of which n repeats average the part rho away, and the misfit of the valley's
shape, which grows with the excess V. Far from the floor even that fails, so a row counts with
weight exp(-excess / tau) (generalised Bayes: a tempered likelihood).

References
----------
Lange, Little and Taylor (1989), "Robust Statistical Modeling Using the t Distribution", JASA 84.
Bissiri, Holmes and Walker (2016), "A General Framework for Updating Belief Distributions",
JRSS-B 78.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.scaling.coordinates import Array

NU = 4.0  # degrees of freedom of the Student-t noise
# Trained networks repeat to about 0.2 %; a valley's shape holds to about 15 % of the excess.
SIGMA_PRIOR = (math.log(2e-3), 1.0)
ETA_PRIOR = (math.log(0.15), 0.6)
ROUNDING = 1e-5  # losses are seldom written down more exactly
STEPS = np.exp([0.0, -0.6, -0.1, 0.1, 0.6])  # one renewal moves by one of these


@final
@dataclass(frozen=True, slots=True)
class Scatter:
    """Noise near the floor (log loss) and misfit of the valley (share of the excess)."""

    sigma: float
    eta: float

    def squared(self, v: Array, factor: Array) -> Array:
        """Squared scale of rows with excess v (n,) and repeat factors (n,)."""
        return np.asarray(self.sigma**2 * factor + (self.eta * np.minimum(v, 5.0)) ** 2)


def student(residual: Array, s2: Array) -> Array:
    """Weights (nu + 1) / (nu + r^2 / s^2) of residuals with squared scales (n,)."""
    return np.asarray((NU + 1.0) / (NU + residual**2 / s2))


def locality(residual: Array, v: Array, s2: Array, tau: float) -> Array:
    """Weights exp(-excess / tau) of rows with fitted excess v and residual (n,).

    The excess is the fitted one, or the measured one where scatter cannot explain the difference.
    """
    excess = np.maximum(v, v + residual - 3.0 * np.sqrt(s2))
    return np.asarray(np.exp(-np.maximum(excess, 0.0) / tau))


def repeat_factor(repeats: Array, seed_sd: float | None, sigma: float) -> Array:
    """Factors (n,) on the squared noise of means of repeats."""
    if seed_sd is None:
        return np.ones_like(repeats)
    rho = min(1.0, (seed_sd / sigma) ** 2)
    return np.asarray((1.0 - rho) + rho / repeats)


def renew(old: Scatter, squares: Array, v: Array, factor: Array, weight: Array) -> Scatter:
    """Return the scatter of highest tempered posterior near the old one.

    Parameters
    ----------
    old
        Scatter so far; one of a few steps is taken from it, and renewals repeat.
    squares
        Expected squared residuals (n,), the parameters' own variance included.
    v, factor, weight
        Excess, repeat factors and weights of the rows (n,).
    """
    v = np.minimum(v, 5.0)

    def value(sigma: Array, eta: Array) -> Array:
        s2 = sigma[:, None] ** 2 * factor + (eta[:, None] * v) ** 2
        like = (0.5 * np.log(s2) + 0.5 * (NU + 1.0) * np.log1p(squares / (NU * s2))) @ weight
        far = (np.log(sigma) - SIGMA_PRIOR[0]) / SIGMA_PRIOR[1]
        wide = (np.log(eta) - ETA_PRIOR[0]) / ETA_PRIOR[1]
        return np.asarray(-like - 0.5 * far**2 - 0.5 * wide**2)

    sigma = old.sigma * STEPS
    best = float(sigma[np.argmax(value(sigma, np.full(sigma.size, old.eta)))])
    eta = old.eta * STEPS
    best = max(best, ROUNDING)
    return Scatter(best, float(eta[np.argmax(value(np.full(eta.size, best), eta))]))


def pooled(sum_of_squares: float, count: float, prior: tuple[float, float]) -> float:
    """Standard deviation from a sum of squares over a count, with prior rows of a given sd."""
    rows, sd = prior
    return float(np.sqrt((sum_of_squares + rows * sd**2) / (count + rows)))
