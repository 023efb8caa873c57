"""Exact Gaussian-process regression: the marginal likelihood, its gradient, and its maximiser.

Covariance of two points u, v (features divided by their lengthscales) in cells c, d:

    k = 1 + sigma_c^2 [c = d] + sigma_m^2 effects(u, v) + sigma_f^2 matern52(||u - v||),

with noise sigma_n^2 on the diagonal. The 1 is a standard normal prior on the mean of standardised
data, and sigma_c^2 the prior variance of what is left of the differences between cells. In one cell
of up to `MOST_EFFECTS` dimensions the function has a part that is a sum of main effects (see
`maquette.surrogate.effects`), which is learned from fewer trials than the rest; by the prior it is
half of it. Hyperparameters have log-normal priors; `fit` returns the most probable ones, and
`maquette.surrogate.plausible` what else they may be. The priors of the lengthscales grow with the
square root of the number of dimensions [2], which keeps the model's complexity the same in 2 and in
50 dimensions. In one cell they are narrower than in [2]: a maximum found from ten trials under wide
priors is far too sure of itself. Over several cells they are as in [2]: a scale axis is smoother
than a setting, and how settings act together with it is the question.

References
----------
.. [1] C. E. Rasmussen and C. K. I. Williams. Gaussian Processes for Machine Learning. MIT Press,
       2006. Eq. 2.30, 5.9.
.. [2] C. Hvarfner, E. O. Hellsten and L. Nardi. Vanilla Bayesian Optimization Performs Great in
       High Dimensions. ICML 2024.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from maquette.surrogate.effects import effect, effects, group_distances
from maquette.surrogate.matern import matern52, squared_distances

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# (mean, standard deviation) of the logs; the mean is the mode of the log-normal density [2].
SIGNAL, NOISE, CELL = (0.0, 1.0), (-6.0, 2.0), (-2.0, 1.5)
HALF = (math.log(0.5), 0.7)  # of the signal and of the main effects, where there are both
WIDE, NARROW = math.sqrt(3.0), 1.0  # of the lengthscales
MOST_EFFECTS = 24
BOUNDS_LENGTH, BOUNDS_SIGNAL, BOUNDS_NOISE = (-4.0, 7.0), (-4.0, 4.0), (-13.0, 1.0)
BOUNDS_CELL = (-8.0, 2.0)
JITTER = 1e-9


@final
@dataclass(frozen=True, slots=True)
class Points:
    """Embedded points Z (n, p), the group of each column (p,), and the cell of each point (n,)."""

    Z: Array
    group: Index
    cell: Index

    def __len__(self) -> int:
        return len(self.Z)

    @property
    def groups(self) -> int:
        """Number of lengthscales."""
        return int(self.group[-1]) + 1 if len(self.group) else 0

    def take(self, rows: Index) -> Points:
        """Return some of the points."""
        return Points(self.Z[rows], self.group, self.cell[rows])

    def joined(self, other: Points) -> Points:
        """Return these points followed by others."""
        Z, cell = np.concatenate([self.Z, other.Z]), np.concatenate([self.cell, other.cell])
        return Points(Z, self.group, cell)


@final
@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Logs of the lengthscales (groups,), and of four variances.

    Of the signal, of the noise, of the cells, and of the main effects.
    """

    length: Array
    signal: float
    noise: float
    cell: float
    effects: float = -math.inf

    def scaled(self, points: Points) -> Array:
        """Return the points' features divided by their lengthscales, shape (n, p)."""
        return points.Z * np.exp(-self.length)[points.group]

    @property
    def noise_variance(self) -> float:
        """Variance of a measurement about the function."""
        return math.exp(self.noise)

    @property
    def variance(self) -> float:
        """Prior variance of the function at one point."""
        return 1.0 + math.exp(self.signal) + math.exp(self.cell) + math.exp(self.effects)


def covariance(theta: Hyperparameters, a: Points, b: Points) -> Array:
    """Return the prior covariance of two sets of points, shape (n, m), without noise."""
    U, V = theta.scaled(a), theta.scaled(b)
    k, _ = matern52(squared_distances(U, V))
    same = a.cell[:, None] == b.cell[None, :]
    total = 1.0 + math.exp(theta.signal) * k + math.exp(theta.cell) * same
    if theta.effects > -math.inf:
        total = total + math.exp(theta.effects) * effects(U, V, a.group)
    return np.asarray(total)


def cholesky(K: Array) -> Array:
    """Return the lower Cholesky factor of K (n, n), with as little jitter as it takes."""
    jitter = JITTER
    while True:
        A = K.copy()
        A.flat[:: len(K) + 1] += jitter
        L, info = lapack.dpotrf(A, lower=1, clean=1)
        if info == 0:
            return np.asarray(L)
        jitter *= 10.0


@final
@dataclass(frozen=True, slots=True)
class Likelihood:
    """The log posterior density of the hyperparameters given data, as a function of a vector.

    The vector holds the log lengthscales, log signal, log noise, the log cell variance if the
    points lie in more than one cell, and the log variance of the main effects if there is any.

    Parameters
    ----------
    points, y
        Inputs, and standardised outputs of shape (n,).

    Attributes
    ----------
    cells
        Whether there is a cell variance to learn.
    """

    points: Points
    y: Array
    cells: bool = field(init=False, repr=False)
    _apart: Array = field(init=False, repr=False)
    _prior: tuple[Array, Array] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        Z, group, cell = self.points.Z, self.points.group, self.points.cell
        object.__setattr__(self, "cells", bool((cell != cell[:1]).any()))
        object.__setattr__(self, "_prior", self._made_prior())
        apart = group_distances(Z, Z, group) if self.effects else np.empty((0, 0, 0))
        object.__setattr__(self, "_apart", apart)

    @property
    def effects(self) -> bool:
        """Whether main effects have a variance of their own."""
        return 1 < self.points.groups <= MOST_EFFECTS and not self.cells

    def prior(self) -> tuple[Array, Array]:
        """Return means and standard deviations of the vector under the prior."""
        return self._prior

    def _made_prior(self) -> tuple[Array, Array]:
        G = self.points.groups
        # Mode of LogNormal(sqrt(2) + log(G) / 2, sqrt(3)), section 5 of [2].
        length = math.sqrt(2.0) + 0.5 * math.log(max(G, 1)) - 3.0
        signal = HALF if self.effects else SIGNAL
        spread = WIDE if self.cells else NARROW
        rows = [(length, spread)] * G + [signal, NOISE]
        rows += [CELL] * self.cells + [HALF] * self.effects
        mean, spread = np.array(rows).T
        return mean, spread

    def bounds(self) -> list[tuple[float, float]]:
        """Return the interval that each entry of the vector is searched in."""
        rows = [BOUNDS_LENGTH] * self.points.groups + [BOUNDS_SIGNAL, BOUNDS_NOISE]
        return rows + [BOUNDS_CELL] * self.cells + [BOUNDS_SIGNAL] * self.effects

    def unpack(self, vector: Array) -> Hyperparameters:
        """Return the hyperparameters that a vector stands for."""
        G = self.points.groups
        # One cell: its effect cannot be told from the mean, and is left to that.
        cell = float(vector[G + 2]) if self.cells else -math.inf
        effects = float(vector[-1]) if self.effects else -math.inf
        signal, noise = float(vector[G]), float(vector[G + 1])
        return Hyperparameters(np.array(vector[:G]), signal, noise, cell, effects)

    def marginal(self, vector: Array) -> tuple[float, Array]:
        """Return log p(y | vector) and its gradient, eq. 2.30 and 5.9 of [1]."""
        theta, n, G = self.unpack(vector), len(self.y), self.points.groups
        U = theta.scaled(self.points)
        if self.effects:
            R = self._apart * np.exp(-2.0 * theta.length)[:, None, None]
            r2 = R.sum(axis=0)
        else:
            r2 = squared_distances(U, U)
            r2.flat[:: n + 1] = 0.0
        k, slope = matern52(r2)
        signal, noise = math.exp(theta.signal), math.exp(theta.noise)
        K = 1.0 + signal * k
        if self.cells:
            same = self.points.cell[:, None] == self.points.cell[None, :]
            K = 1.0 + signal * k + math.exp(theta.cell) * same
        main = math.exp(theta.effects)
        if self.effects:
            each, fall = effect(R)
            mean = each.mean(axis=0)
            K += main * mean
        K.flat[:: n + 1] += noise
        L = cholesky(K)
        alpha = lapack.dpotrs(L, self.y, lower=1)[0]
        value = -0.5 * self.y @ alpha - np.log(np.diag(L)).sum() - 0.5 * n * math.log(2 * math.pi)
        inverse = lapack.dpotri(L, lower=1)[0]
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        A = np.outer(alpha, alpha) - inverse
        gradient = np.empty(len(vector))
        W = A * slope
        if self.effects:
            # d r_g^2 / d log l_g = -2 r_g^2
            inner = signal * W + main / G * A * fall
            gradient[:G] = -np.einsum("gij,gij->g", inner, R)
        else:
            # sum_ij W_ij (u_i - u_j)^2 = 2 (w' u^2 - u'Wu)
            columns = (W.sum(axis=1)[:, None] * U * U).sum(axis=0) - (U * (W @ U)).sum(axis=0)
            gradient[:G] = -2.0 * signal * np.bincount(self.points.group, columns, minlength=G)
        gradient[G] = 0.5 * signal * (A * k).sum()
        gradient[G + 1] = 0.5 * noise * np.trace(A)
        if self.cells:
            gradient[G + 2] = 0.5 * math.exp(theta.cell) * A[same].sum()
        if self.effects:
            gradient[-1] = 0.5 * main * (A * mean).sum()
        return float(value), gradient

    def posterior(self, vector: Array) -> tuple[float, Array]:
        """Return the log posterior density, up to a constant, and its gradient."""
        value, gradient = self.marginal(vector)
        mean, spread = self.prior()
        z = (vector - mean) / spread
        return value - 0.5 * float(z @ z), gradient - z / spread


def modes(points: Points, y: Array, iterations: int = 60) -> list[tuple[Array, float]]:
    """Return maxima of the posterior of the hyperparameters, the highest first, and their logs.

    L-BFGS-B from the prior's modes, and from four times the lengthscales with more noise: fixed
    points, so that the same data give the same answer, whatever was fitted before.
    """
    from scipy.optimize import minimize

    model = Likelihood(points, y)
    mean, _ = model.prior()
    if len(y) == 0:
        return [(mean, 0.0)]
    smooth = mean.copy()
    smooth[: points.groups] += math.log(4.0)
    smooth[points.groups + 1] = -2.0

    def loss(vector: Array) -> tuple[float, Array]:
        value, gradient = model.posterior(vector)
        return -value, -gradient

    found = [
        minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=model.bounds(),
            options={"maxiter": iterations, "ftol": 1e-7},
        )
        for start in (mean, smooth)
    ]
    found.sort(key=lambda each: float(each.fun))
    return [(each.x, -float(each.fun)) for each in found]


def fit(points: Points, y: Array, iterations: int = 60) -> Hyperparameters:
    """Return the most probable hyperparameters, the better of two maxima (see `modes`)."""
    return Likelihood(points, y).unpack(modes(points, y, iterations)[0][0])
