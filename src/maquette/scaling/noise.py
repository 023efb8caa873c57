"""Noise and misfit: which rows count, and how much.

Residuals are Student-t, by weights omega = (nu + 1) / (nu + (r / sigma)^2). The valley is only
locally true, so a row counts with weight exp(-excess / tau) (generalised Bayes: a tempered
likelihood). The mean of n repeats has variance sigma^2 ((1 - rho) + rho / n), where rho is the
part of the noise that repeats average away.

References
----------
Lange, Little and Taylor (1989), "Robust Statistical Modeling Using the t Distribution", JASA 84.
Bissiri, Holmes and Walker (2016), "A General Framework for Updating Belief Distributions",
JRSS-B 78.
"""

from __future__ import annotations

import numpy as np

from maquette.scaling.coordinates import Array

NU = 4.0  # degrees of freedom of the Student-t noise
SIGMA_PRIOR = (2.0, 2e-3)  # prior rows and their sd: trained networks repeat to about 0.2 %


def student(residual: Array, sigma: float, variance: Array) -> Array:
    """Weights omega of residuals (n,) with variance factors (n,)."""
    return np.asarray((NU + 1.0) / (NU + residual**2 / (sigma**2 * variance)))


def locality(residual: Array, v: Array, sigma: float, tau: float) -> Array:
    """Weights exp(-excess / tau) of rows with fitted excess v and residual (n,).

    The excess is the fitted one, or the measured one where noise cannot explain the difference.
    """
    excess = np.maximum(v, v + residual - 3.0 * sigma)
    return np.asarray(np.exp(-np.maximum(excess, 0.0) / tau))


def repeat_variance(repeats: Array, seed_sd: float | None, sigma: float) -> Array:
    """Variance factors (n,) of means of repeats."""
    if seed_sd is None:
        return np.ones_like(repeats)
    rho = min(1.0, (seed_sd / sigma) ** 2)
    return np.asarray((1.0 - rho) + rho / repeats)


def pooled(sum_of_squares: float, count: float, prior: tuple[float, float]) -> float:
    """Standard deviation from a sum of squares over a count, with prior rows of a given sd."""
    rows, sd = prior
    return float(np.sqrt((sum_of_squares + rows * sd**2) / (count + rows)))
