"""What pasts tell of a loss: a trend, learned from earlier studies, that a model adds its own to.

Every past has a Gaussian process of the normal scores of its losses [1], which depend on their
order alone. With m_i its posterior mean, the present loss in standard units is

    y(x) = sum_i w_i m_i(x) + r(x) + noise,     w_i ~ N(w_0 / k, s^2 / k),     r ~ GP(0, K),

for k pasts. The weights are set to their posterior mean,

    w = (M' (K + sigma^2)^-1 M + k / s^2)^-1 (M' (K + sigma^2)^-1 y + w_0 / s^2),

none below zero: a past that orders the present results well gains weight, one that does not loses
it after a few trials. This is the purpose of the ranking weights of [2], by regression. The model
of r is the Gaussian process of the present study, fitted to what the trend leaves.

References
----------
.. [1] D. Salinas, H. Shen and V. Perrone. A Quantile-based Approach for Hyperparameter Transfer
       Learning. ICML 2020.
.. [2] M. Feurer, B. Letham, F. Hutter and E. Bakshy. Practical Transfer Learning for Bayesian
       Optimization. arXiv:1802.02219, 2018. (RGPE.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from maquette.columns import Finished
from maquette.past import Past, aligned
from maquette.problem import Problem
from maquette.scale import Scale
from maquette.space import Space
from maquette.surrogate.embedding import embedding
from maquette.surrogate.gp import Likelihood, Points, covariance, fit
from maquette.surrogate.plausible import Plausible, plausible
from maquette.surrogate.posterior import Posterior, condition
from maquette.surrogate.protocol import Predictive
from maquette.surrogate.refit import learned_from
from maquette.surrogate.scores import normal_scores
from maquette.surrogate.subset import subset

Array = NDArray[np.float64]

# Mean and standard deviation of a lone past's weight, before results.
W_0, S = 0.7, 0.5
NOISE = 0.1  # variance, of what neither the trend nor r explains
# A past's hyperparameters are learned from so many trials, its posterior holds so many.
LEARNED, HELD = 100, 250
LEAST_PAST = 3
# A past is left out once the log evidence without it is higher by so much.
LEAST_EVIDENCE = 0.0


@final
@dataclass(frozen=True, slots=True)
class PastModel:
    """The posterior mean of a past's normal scores, over the columns that varied in it."""

    name: str
    posterior: Posterior
    columns: NDArray[np.intp]

    def points(self, at: Points) -> Points:
        """Return the columns of points that this past knows."""
        return Points(at.Z[:, self.columns], self.posterior.points.group, np.zeros_like(at.cell))

    def mean(self, at: Points) -> Array:
        """Return the mean at m points, shape (m,)."""
        return self.posterior.predict(self.points(at))[0]

    def gradient(self, at: Points) -> Array:
        """Return the gradient of the mean by the p features, at one point."""
        slope = np.zeros(at.Z.shape[1])
        slope[self.columns] = self.posterior.gradient(self.points(at))[2]
        return slope


@final
@dataclass(frozen=True, slots=True)
class Trend:
    """The weighed sum of what pasts tell, and the models of it."""

    models: tuple[PastModel, ...]
    weights: Array

    def __call__(self, at: Points) -> Array:
        """Return the trend at m points, shape (m,)."""
        out = np.zeros(len(at))
        for weight, model in zip(self.weights, self.models, strict=True):
            if weight > 0.0:
                out += weight * model.mean(at)
        return out

    def gradient(self, at: Points) -> Array:
        """Return the gradient of the trend by the p features, at one point."""
        out = np.zeros(at.Z.shape[1])
        for weight, model in zip(self.weights, self.models, strict=True):
            if weight > 0.0:
                out += weight * model.gradient(at)
        return out

    def why(self) -> dict[str, float]:
        """Return the weight of each past."""
        pairs = zip(self.models, self.weights, strict=True)
        return {f"past {model.name}": float(weight) for model, weight in pairs}


@final
@dataclass(frozen=True, slots=True)
class Carried:
    """A posterior of what a trend leaves, and the trend: together a posterior of the loss."""

    rest: Predictive
    trend: Trend

    @property
    def weight(self) -> Array:
        """Weights of the rest's members, shape (J,)."""
        return self.rest.weight

    @property
    def noises(self) -> Array:
        """Variance of a measurement about each member, shape (J,)."""
        return self.rest.noises

    @property
    def noise(self) -> float:
        """Mean of these."""
        return self.rest.noise

    def each(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance of every member at m points, each of shape (J, m)."""
        means, variances = self.rest.each(at)
        return means + self.trend(at), variances

    def slopes(self, at: Points) -> tuple[Array, Array, Array, Array]:
        """Return means and variances (J,) at one point, and their gradients (J, p)."""
        means, variances, d_means, d_variances = self.rest.slopes(at)
        return means + self.trend(at), variances, d_means + self.trend.gradient(at), d_variances

    def predict(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance at m points, each of shape (m,)."""
        mean, variance = self.rest.predict(at)
        return mean + self.trend(at), variance

    def joint(self, at: Points) -> tuple[Array, Array]:
        """Return the joint mean (m,) and covariance (m, m) at m points."""
        mean, C = self.rest.joint(at)
        return mean + self.trend(at), C

    def gradient(self, at: Points) -> tuple[float, float, Array, Array]:
        """Return mean, variance, and their gradients by the p features, at one point."""
        mean, variance, d_mean, d_variance = self.rest.gradient(at)
        trend = float(self.trend(at)[0])
        return mean + trend, variance, d_mean + self.trend.gradient(at), d_variance

    def believing(self, at: Points) -> Carried:
        """Return the posterior that has also seen its own mean at m points."""
        return Carried(self.rest.believing(at), self.trend)


def trend(problem: Problem, points: Points, y: Array) -> Trend | None:
    """Return the trend, weighed by observations y (n,) at n points; None if no past has one."""
    models = past_models(problem.evidence, problem.scale, problem.past)
    if not models:
        return None
    k = len(models)
    if not len(y):
        return Trend(models, np.full(k, W_0 / k))
    M = np.stack([model.mean(points) for model in models], axis=1)
    shape = Likelihood(points, y)
    K = covariance(shape.unpack(shape.prior()[0]), points, points)
    K.flat[:: len(K) + 1] += NOISE
    factor = cho_factor(K, lower=True)
    A, b = M.T @ cho_solve(factor, M), M.T @ cho_solve(factor, y)
    return Trend(models, _weights(A, b, k))


def _weights(A: Array, b: Array, k: int) -> Array:
    """Return the weights (k,) for A = M' (K + sigma^2)^-1 M and b = M' (K + sigma^2)^-1 y.

    The past that the evidence speaks against most is left out, and so on, until it speaks for each
    that is left and none has a negative weight.
    """
    weights = np.zeros(k)
    free = np.arange(k)
    while len(free):
        found = _evidence(A, b, free, k)[1]
        without = np.array([_evidence(A, b, np.delete(free, i), k)[0] for i in range(len(free))])
        gain = np.where(found < 0.0, np.inf, without - _evidence(A, b, free, k)[0])
        worst = int(np.argmax(gain))
        if gain[worst] <= LEAST_EVIDENCE:
            weights[free] = found
            break
        free = np.delete(free, worst)
    return weights


def _evidence(A: Array, b: Array, free: NDArray[np.intp], k: int) -> tuple[float, Array]:
    """Return the log evidence for a subset of pasts, less that for none, and their weights."""
    if not len(free):
        return 0.0, np.empty(0)
    precision = k / S**2
    P = A[np.ix_(free, free)] + precision * np.eye(len(free))
    h = b[free] + W_0 / S**2
    w = np.asarray(np.linalg.solve(P, h), dtype=float)
    prior = len(free) * (W_0 / k) ** 2 * precision
    _, det = np.linalg.slogdet(P / precision)
    return 0.5 * float(h @ w - prior - det), w


def learn_rest(problem: Problem, finished: Finished) -> Plausible:
    """Return what the hyperparameters of what the trend leaves may be, after finished trials."""
    points, y = learned_from(problem, finished)
    carried = trend(problem, points, y)
    return plausible(points, y if carried is None else y - carried(points))


@lru_cache(maxsize=16)
def past_models(
    space: Space, scale: Scale | None, pasts: tuple[Past, ...]
) -> tuple[PastModel, ...]:
    """Return the models of pasts in a space; those of which too little is known have none."""
    found = [_model(space, scale, past) for past in pasts]
    return tuple(model for model in found if model is not None)


def at_base(space: Space, scale: Scale | None, X: Array, active: NDArray[np.bool_]) -> Points:
    """Return the points of rows (m, d) at the base of a scale, to ask models of pasts there."""
    embed = embedding(space, scale)
    base = np.array([list(scale.base.values())] if scale else [[]], dtype=float)
    Z = embed(X, active, np.repeat(base, len(X), axis=0))
    return Points(Z, embed.group, np.zeros(len(Z), dtype=np.intp))


def _model(space: Space, scale: Scale | None, past: Past) -> PastModel | None:
    """Return the model of one past."""
    known = aligned(past, space)
    if len(known.losses) < LEAST_PAST or np.ptp(known.losses) == 0.0:
        return None
    points = at_base(space, scale, known.X, known.active)
    columns = np.flatnonzero(np.ptp(points.Z, axis=0) > 0.0)
    if not len(columns):
        return None
    group = np.unique(points.group[columns], return_inverse=True)[1].reshape(-1)
    y = normal_scores(known.losses)
    rows = _spread(y, HELD)
    held = Points(points.Z[np.ix_(rows, columns)], group, points.cell[rows])
    learned = _spread(y[rows], LEARNED)
    theta = fit(held.take(learned), y[rows][learned])
    return PastModel(past.name, condition(theta, held, y[rows]), columns)


def _spread(y: Array, most: int) -> NDArray[np.intp]:
    """Return which of values (m,) to keep: a `subset` of them, evenly by rank, not over time."""
    order = np.argsort(y, kind="stable")
    return np.sort(order[subset(y[order], most)])
