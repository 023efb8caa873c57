"""Logarithm of the expected improvement, and of the chance that a trial ends well.

References
----------
.. [1] S. Ament, S. Daulton, D. Eriksson, M. Balandat and E. Bakshy. Unexpected Improvements to
       Expected Improvement for Bayesian Optimization. NeurIPS 2023.
.. [2] C. E. Rasmussen and C. K. I. Williams. Gaussian Processes for Machine Learning. MIT Press,
       2006. Section 6.5 (least-squares classification).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr

from maquette.surrogate.gp import Hyperparameters, Points
from maquette.surrogate.posterior import Posterior, condition

Array = NDArray[np.float64]

_C1 = 0.5 * math.log(2.0 * math.pi)
_C2 = 0.5 * math.log(0.5 * math.pi)
# Variance of the labels of the classifier: some failures are accidents.
LABEL_NOISE = 0.1
# Variance of the step from label to success: P is 0.76 far from all trials, 1e-8 amid failures.
STEP = 0.01


def log_h(z: Array) -> Array:
    """Return log(phi(z) + z Phi(z)), exact to rounding however negative z is (eq. 9 of [1])."""
    z = np.asarray(z, dtype=float)
    near = np.maximum(z, -1.0)
    density = np.exp(-0.5 * near**2 - _C1)
    direct = np.log(density + near * np.exp(log_ndtr(near)))
    far = -np.clip(z, -1e8, -1.0)
    # log(1 - x) with x = |z| sqrt(pi / 2) erfcx(|z| / sqrt(2)), which tends to 1 - 1 / z^2.
    inner = np.log1p(-np.exp(np.log(erfcx(far / math.sqrt(2.0)) * far) + _C2).clip(max=1 - 1e-16))
    tail = -0.5 * far**2 - _C1 + np.where(far < 1e3, inner, -2.0 * np.log(far))
    return np.where(z > -1.0, direct, tail)


@final
@dataclass(frozen=True, slots=True)
class LogEI:
    """log EI of improving on the incumbent [1], plus the log chance of ending well.

    Parameters
    ----------
    posterior
        Of the loss in standard units; pending trials are already believed.
    incumbent
        The lowest posterior mean among observed and pending configs, at the fidelity asked for.
    success
        Of the labels 1 (ended well) and -1 (failed), see `classifier`; None if nothing failed.
    """

    posterior: Posterior
    incumbent: float
    success: Posterior | None = None

    def __call__(self, at: Points) -> Array:
        """Return the acquisition value at m points, shape (m,)."""
        mean, variance = self.posterior.predict(at)
        sd = np.sqrt(variance)
        value = log_h((self.incumbent - mean) / sd) + np.log(sd)
        if self.success is not None:
            label, doubt = self.success.predict(at)
            value = value + log_ndtr(label / np.sqrt(STEP + doubt))
        return np.asarray(value)

    def gradient(self, at: Points) -> tuple[float, Array]:
        """Return the acquisition value at one point, and its gradient by the features (p,)."""
        mean, variance, d_mean, d_variance = self.posterior.gradient(at)
        sd = math.sqrt(variance)
        d_sd = d_variance / (2.0 * sd)
        z = (self.incumbent - mean) / sd
        h = float(log_h(np.array(z)))
        # h'(z) = Phi(z)
        ratio = math.exp(float(log_ndtr(z)) - h)
        value, gradient = h + math.log(sd), ratio * (-d_mean - z * d_sd) / sd + d_sd / sd
        if self.success is not None:
            label, doubt, d_label, d_doubt = self.success.gradient(at)
            s = math.sqrt(STEP + doubt)
            t = label / s
            p = float(log_ndtr(t))
            hazard = math.exp(-0.5 * t * t - _C1 - p)
            value += p
            gradient = gradient + hazard * (d_label / s - label * d_doubt / (2.0 * s**3))
        return value, gradient


def classifier(points: Points, ended_well: NDArray[np.bool_]) -> Posterior | None:
    """Return a model of where trials fail, or None if none failed.

    Least-squares classification [2]: a Gaussian process on labels 1 and -1 with fixed
    lengthscales, half the unit cube in two dimensions and growing with their square root.
    P(success) = Phi(f / sqrt(STEP + var f)).
    """
    if ended_well.all():
        return None
    groups = points.groups
    length = np.full(groups, math.log(0.35 * math.sqrt(max(groups, 1))))
    theta = Hyperparameters(length, 0.0, math.log(LABEL_NOISE), -math.inf)
    return condition(theta, points, np.where(ended_well, 1.0, -1.0))
