"""How likely a trial is to end well and to keep the bounds on its metrics.

A bound on a metric is a regression: a Gaussian process on the distance to the bound knows how far
inside a config lies, which a label does not [1]. Trials that failed (diverged, out of memory,
crashed, timed out), and bounds on metrics that take two values only, are a classification.

References
----------
.. [1] J. R. Gardner, M. J. Kusner, Z. Xu, K. Q. Weinberger and J. P. Cunningham. Bayesian
       Optimization with Inequality Constraints. ICML 2014.
.. [2] C. E. Rasmussen and C. K. I. Williams. Gaussian Processes for Machine Learning. MIT Press,
       2006. Section 6.5 (least-squares classification).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from maquette.columns import Finished
from maquette.history import Problem
from maquette.search.acquisition import C1
from maquette.surrogate.gp import Hyperparameters, Points
from maquette.surrogate.mixture import Mixture, mixture
from maquette.surrogate.observations import Observations, observe
from maquette.surrogate.plausible import Plausible
from maquette.surrogate.posterior import Posterior, condition
from maquette.surrogate.refit import Refits, part
from maquette.trial import State

Array = NDArray[np.float64]

# Variance of the labels of the classifier: some failures are accidents.
LABEL_NOISE = 0.1
# Variance of the step from label to success: P is 0.76 far from all trials, 1e-8 amid failures.
STEP = 0.01
# Variance added to a bound's: a bound that is known exactly is a cliff that no gradient climbs.
SOFT = 1e-6
# Below this many distinct values a metric under a bound is a label.
LEAST_VALUES = 3


@final
@dataclass(frozen=True, slots=True)
class Bound:
    """A model of a metric under a bound, in standard units: the bound holds at or below `limit`."""

    posterior: Mixture
    limit: float


@final
@dataclass(frozen=True, slots=True)
class Feasible:
    """The log probability that a trial ends well and keeps its bounds, which are independent.

    Parameters
    ----------
    success
        Of the labels 1 (ended well) and -1 (failed), see `classifier`; None if nothing failed.
    bounds
        One model for each bound.
    """

    success: Posterior | None = None
    bounds: tuple[Bound, ...] = ()

    def __call__(self, at: Points) -> Array:
        """Return the log probability at m points, shape (m,)."""
        total = np.zeros(len(at))
        if self.success is not None:
            label, doubt = self.success.predict(at)
            total += log_ndtr(label / np.sqrt(STEP + doubt))
        for bound in self.bounds:
            mean, variance = bound.posterior.predict(at)
            total += log_ndtr((bound.limit - mean) / np.sqrt(SOFT + variance))
        return total

    def gradient(self, at: Points) -> tuple[float, Array]:
        """Return the log probability at one point, and its gradient by the features (p,)."""
        total, slope = 0.0, np.zeros(at.Z.shape[1])
        if self.success is not None:
            value, gradient = _log_chance(self.success, at, (0.0, -1.0, STEP))
            total, slope = total + value, slope + gradient
        for bound in self.bounds:
            value, gradient = _log_chance(bound.posterior, at, (bound.limit, 1.0, SOFT))
            total, slope = total + value, slope + gradient
        return total, slope

    def believing(self, at: Points) -> Feasible:
        """Return the model that has also seen its own means of the bounds at m points."""
        bounds = tuple(Bound(b.posterior.believing(at), b.limit) for b in self.bounds)
        return Feasible(self.success, bounds)


def _log_chance(
    posterior: Posterior | Mixture, at: Points, of: tuple[float, float, float]
) -> tuple[float, Array]:
    """Return log P(sign f <= limit) at one point, for `of` (limit, sign, soft), and its gradient.

    With z = (limit - sign m) / s and s^2 = soft + v: dz = -sign dm / s - z dv / (2 s^2).
    """
    limit, sign, soft = of
    mean, variance, d_mean, d_variance = posterior.gradient(at)
    s = math.sqrt(soft + variance)
    z = (limit - sign * mean) / s
    value = float(log_ndtr(z))
    hazard = math.exp(-0.5 * z * z - C1 - value)
    return value, hazard * (-sign * d_mean / s - z * d_variance / (2.0 * s * s))


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


def feasible(
    problem: Problem,
    finished: Finished,
    seen: Observations,
    scale: Array,
    refits: Refits[Plausible],
) -> Feasible | None:
    """Return the model of where trials are feasible in a cell `scale` (1, axes); None if all were.

    Parameters
    ----------
    problem, finished
        The study's problem and its finished trials.
    seen
        The observations of the primary metric, whose embedding is shared.
    refits
        Where hyperparameters are kept between refits.
    """
    measured = finished.of_bounds()
    real = [c for c in range(finished.excess.shape[1]) if _is_real(measured.metric(c))]
    labels = [c for c in range(finished.excess.shape[1]) if c not in real]
    broken = np.array([s.failed for s in finished.state], dtype=bool)
    broken |= (finished.state == State.DONE) & ~np.isfinite(finished.losses).all(axis=1)
    broken |= (finished.excess[:, labels] > 0).any(axis=1)
    rows = np.flatnonzero(broken | finished.ok)
    success = classifier(seen.place_trials(finished, rows), ~broken[rows])
    bounds = tuple(_bound(problem, measured.metric(c), scale, refits) for c in real)
    return Feasible(success, bounds) if success is not None or bounds else None


def _is_real(excess: Finished) -> bool:
    """Whether a metric under a bound takes more than a few values."""
    return len(np.unique(excess.loss[excess.ok])) >= LEAST_VALUES


def _bound(problem: Problem, excess: Finished, scale: Array, refits: Refits[Plausible]) -> Bound:
    seen = observe(problem, excess)
    return Bound(mixture(refits(problem, excess), *part(seen)), float(seen.standard(0.0, scale)[0]))


def likely(chance: Feasible | None, at: Points) -> Sequence[bool] | NDArray[np.bool_]:
    """Return at which of m points a trial is more likely to be feasible than not."""
    if chance is None:
        return np.ones(len(at), dtype=bool)
    return np.asarray(chance(at) > math.log(0.5))
