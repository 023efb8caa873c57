"""What a job will cost, from jobs that have ended: a law in duration and scale, with its doubt.

log cost = a + sum_k b_k log x_k + noise, where x_k is how long the job runs and its value on each
axis of the scale. The prior of (a, b, sigma^2) is normal-inverse-gamma: b near 1 for the duration
(twice as long costs twice as much), 1 within a factor for an axis, sigma about 0.2.

References
----------
.. [1] A. Gelman, J. B. Carlin, H. S. Stern, D. B. Dunson, A. Vehtari and D. B. Rubin. Bayesian
       Data Analysis, 3rd edition, CRC Press, 2013, section 14.2. (The conjugate update.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.history import History, JobRecord
from maquette.trial import State

_SIGMA = 0.2
_DURATION_SD, _AXIS_SD = 0.25, 1.0
OBSERVED = (State.DONE, State.PAUSED, State.STOPPED)


@final
@dataclass(frozen=True, slots=True)
class CostLaw:
    """A posterior over cost laws.

    Attributes
    ----------
    mean, root
        Of the coefficients: mean, shape (d,), and a root of the covariance in units of the noise's
        variance, shape (d, d).
    shape, rate
        Of the inverse gamma distribution of the noise's variance.
    """

    mean: np.ndarray
    root: np.ndarray
    shape: float
    rate: float

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Return one law: coefficients, shape (d,), and the standard deviation of its noise."""
        sigma = math.sqrt(self.rate / rng.gamma(self.shape))
        return self.mean + sigma * self.root @ rng.standard_normal(len(self.mean)), sigma


def fit(features: np.ndarray, costs: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> CostLaw:
    """Return the posterior given jobs that have ended.

    Parameters
    ----------
    features
        Shape (n, d); the first column is 1.
    costs
        Positive, shape (n,).
    centre, spread
        Prior mean and standard deviation of the coefficients, shape (d,).
    """
    y = np.log(costs)
    precision = np.diag((_SIGMA / spread) ** 2)
    posterior = precision + features.T @ features
    root = np.linalg.inv(np.linalg.cholesky(posterior)).T
    mean = root @ root.T @ (precision @ centre + features.T @ y)
    rest = y - features @ mean
    off = mean - centre
    rate = _SIGMA**2 + 0.5 * float(rest @ rest + off @ precision @ off)
    return CostLaw(mean, root, 1.0 + len(y) / 2, rate)


def features(
    history: History, until: Mapping[str, float], scale: Mapping[str, float]
) -> list[float]:
    """Return what a cost depends on: 1, log of the duration, log of the place on each axis."""
    key = history.problem.duration.key
    logs = [math.log(max(until.get(key, 1.0), 1e-12))] if key is not None else []
    return [1.0, *logs, *(math.log(float(scale.get(a, 1.0))) for a in history.axes)]


def law(history: History, spent: str) -> CostLaw | None:
    """Return the law of what jobs of a study have spent; None before the first has ended.

    Parameters
    ----------
    spent
        ``"seconds"`` or ``"cost"``.
    """
    rows, costs = [], []
    for job in history.jobs:
        value = getattr(job, spent)
        ran = _ran(history, job)
        if job.state in OBSERVED and value > 0 and ran > 0:
            key = history.problem.duration.key or ""
            rows.append(features(history, {key: ran}, job.fidelity.scale))
            costs.append(value)
    if not rows:
        return None
    d = len(rows[0])
    axes = len(history.axes)
    centre = np.array([float(np.mean(np.log(costs))), *np.ones(d - 1)])
    spread = np.array([1e3, *[_DURATION_SD] * (d - 1 - axes), *[_AXIS_SD] * axes])
    return fit(np.array(rows), np.array(costs), centre, spread)


def _ran(history: History, job: JobRecord) -> float:
    """Return how much of the duration a job has run; 1 where none is declared."""
    key = history.problem.duration.key
    if key is None:
        return 1.0
    end = job.fidelity.until.get(key, history.problem.duration.full)
    if job.state is State.STOPPED:
        end = job.steps[-1] if job.steps else job.first_step
    return end - job.first_step
