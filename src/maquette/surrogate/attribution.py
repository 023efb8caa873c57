"""What a metric depends on: effects of settings under a Gaussian process of the trials.

Effects are shares of the variance of the posterior mean over the space, see
`maquette.surrogate.sensitivity`; their intervals come from refitting on resampled trials with the
hyperparameters kept. The mean is in the model's standard units, in which values far above the
median are drawn in: without that a few runs that blew up would be all there is to explain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.history import History
from maquette.surrogate.gp import Hyperparameters, Points, cholesky, covariance
from maquette.surrogate.observations import Observations, observe
from maquette.surrogate.parzen import Dimensions
from maquette.surrogate.ped import divergences
from maquette.surrogate.posterior import Posterior, condition
from maquette.surrogate.refit import MOST_LEARNED, learn_hyperparameters, part
from maquette.surrogate.sensitivity import Indices, design, foremost_pairs, indices
from maquette.surrogate.threads import single_threaded

Array = NDArray[np.float64]

RESAMPLES = 40
PAIRED = 5  # interactions are looked at among so many settings of the largest total effect
BACKGROUND = 64
GRID = 15


@final
@dataclass(frozen=True, slots=True)
class Attribution:
    """A model of one metric, and what it says about the settings of a space.

    Attributes
    ----------
    names
        The settings, in the order of the space.
    found
        Shares of variance; `resampled` holds them for every resample, with a leading axis.
    near
        PED-ANOVA's divergences, scaled to sum to one, shape (d,); `near_resampled` likewise.
    explained
        Share of the variance of the trials that the model predicts when each is left out.
    """

    names: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    found: Indices
    resampled: Indices
    near: Array
    near_resampled: Array
    explained: float


@final
@dataclass(frozen=True, slots=True)
class Model:
    """A Gaussian process of one metric, at one cell of a history's scale."""

    history: History
    seen: Observations
    posterior: Posterior
    y: Array
    scale: Array

    def place(self, unit: Array) -> Points:
        """Return the points of rows (m, d) of the unit cube of the space in force."""
        space, domain = self.history.space, self.history.domain
        X, active = space.project(unit)
        if domain is not space:
            X, active = domain.carry(space, X)
        return self.seen.place(X, active, np.repeat(self.scale, len(X), axis=0))


@single_threaded
def model_of(history: History, finished: Finished, scale: Array) -> Model:
    """Return the model of the trials' only loss, for a cell `scale` (1, axes)."""
    theta = learn_hyperparameters(history.problem, finished)
    seen = observe(history.problem, finished)
    points, y = part(seen, MOST_LEARNED)
    return Model(history, seen, condition(theta, points, y), y, scale)


@single_threaded
def attribute(model: Model, finished: Finished) -> Attribution:
    """Return what the metric depends on."""
    history = model.history
    names, seed = tuple(history.space), history.problem.seed
    d = len(names)
    plain = design(d, seed)
    base = indices(_means(model, model.place(plain.rows), 0)[0], plain)
    pairs = foremost_pairs(base.total, PAIRED)
    full = design(d, seed, pairs)
    means = _means(model, model.place(full.rows), RESAMPLES)
    every = indices(means, full)
    near = _near(model, finished)
    return Attribution(
        names,
        pairs,
        Indices(every.main[0], every.total[0], every.interaction[0]),
        Indices(every.main[1:], every.total[1:], every.interaction[1:]),
        near[0],
        near[1:],
        left_out(model.posterior, model.y),
    )


def _means(model: Model, at: Points, resamples: int) -> Array:
    """Return the posterior mean (1 + resamples, m), of all trials, then of resampled ones.

    A trial drawn w times is one whose noise is w times smaller.
    """
    theta, points, y = model.posterior.theta, model.posterior.points, model.y
    rng = np.random.default_rng([model.history.problem.seed, len(y)])
    n, K = len(y), covariance(theta, points, points)
    drawn = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(resamples)]
    weights = np.array([np.ones(n), *drawn], dtype=float)
    alphas = np.stack([_alpha(theta, K, y, w) for w in weights])
    return np.asarray(alphas @ covariance(theta, points, at))


def _alpha(theta: Hyperparameters, K: Array, y: Array, weight: Array) -> Array:
    """Return K^-1 y (n,) of the trials of positive weight, zero for the others."""
    from scipy.linalg import lapack

    rows = np.flatnonzero(weight)
    part = K[np.ix_(rows, rows)].copy()
    part.flat[:: len(rows) + 1] += theta.noise_variance / weight[rows]
    alpha = np.zeros(len(y))
    alpha[rows] = lapack.dpotrs(cholesky(part), y[rows], lower=1)[0]
    return alpha


def left_out(posterior: Posterior, y: Array) -> float:
    """Return 1 - (mean squared error of each value from the others) / variance, at least 0.

    The residual of a value that is left out is (K^-1 y)_i / (K^-1)_ii.
    """
    from scipy.linalg import lapack

    variance = float(y.var())
    if variance <= 1e-24:
        return 0.0
    inverse = lapack.dpotri(posterior.L, lower=1)[0]
    residual = posterior.alpha / np.diag(inverse)
    return max(0.0, 1.0 - float((residual**2).mean()) / variance)


def _near(model: Model, finished: Finished) -> Array:
    """Return PED-ANOVA's shares (1 + resamples, d) of the space's settings."""
    history, seen = model.history, model.seen
    domain = history.domain
    columns = [domain.names.index(name) for name in history.space]
    of = Dimensions(domain.cardinality[columns], domain.is_categorical[columns])
    X, active = finished.X[seen.rows][:, columns], finished.active[seen.rows][:, columns]
    n, rng = len(seen.y), np.random.default_rng([history.problem.seed, 1, len(seen.y)])
    out = []
    for i in range(1 + RESAMPLES):
        rows = np.arange(n) if i == 0 else rng.integers(n, size=n)
        found = divergences(of, X[rows], active[rows], seen.y[rows])
        out.append(found / (found.sum() or 1.0))
    return np.array(out)


@final
@dataclass(frozen=True, slots=True)
class Dependence:
    """How the mean of a metric over the space, and at the best config, moves with one setting.

    Attributes
    ----------
    at
        Coordinates of the setting in the unit interval, shape (m,).
    mean, sd
        Partial dependence: the expected loss with the setting there, the others uniform; and the
        model's doubt about it, shape (m,).
    best, best_sd
        The same with the others as in the best config.
    """

    at: Array
    mean: Array
    sd: Array
    best: Array
    best_sd: Array


@single_threaded
def dependence(model: Model, j: int, best: Array) -> Dependence:
    """Return the dependence on setting j, around a config at row `best` (d,) of the unit cube."""
    from scipy.stats import qmc

    space = model.history.space
    m = int(space.cardinality[j])
    at = (np.arange(m) + 0.5) / m if space.is_categorical[j] else np.linspace(0.0, 1.0, GRID)
    d = len(space.names)
    background = qmc.Sobol(d, scramble=True, seed=model.history.problem.seed).random(BACKGROUND)
    mean, sd = np.empty(len(at)), np.empty(len(at))
    for i, value in enumerate(at):
        background[:, j] = value
        means, C = model.posterior.joint(model.place(background))
        mean[i], sd[i] = means.mean(), math.sqrt(max(float(C.mean()), 0.0))
    scale = np.repeat(model.scale, len(at), axis=0)
    return Dependence(at, *model.seen.losses(mean, sd, scale), *along(model, j, best, at))


@single_threaded
def along(model: Model, j: int, row: Array, at: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of the loss where setting j of a row is moved.

    At coordinates `at` (m,) of the unit cube, the others staying as they are in `row` (d,).
    """
    line = np.repeat(row[None], len(at), axis=0)
    line[:, j] = at
    mean, variance = model.posterior.predict(model.place(line))
    return model.seen.losses(mean, np.sqrt(variance), np.repeat(model.scale, len(at), axis=0))
