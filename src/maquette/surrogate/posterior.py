"""What is believed of a function after some values of it were seen: a Gaussian posterior.

Mean, variance, quantiles and joint samples, and the gradients that an optimiser of an acquisition
function needs. All are of the function itself, without measurement noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from maquette.surrogate.effects import effect, group_distances
from maquette.surrogate.gp import Hyperparameters, Points, cholesky, covariance
from maquette.surrogate.matern import matern52, squared_distances

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Posterior:
    """A Gaussian process conditioned on data; build it with `condition`.

    Attributes
    ----------
    theta, points
        Hyperparameters, and the n points conditioned on.
    L, alpha
        Lower Cholesky factor of their covariance with noise, (n, n), and K^-1 y, (n,).
    """

    theta: Hyperparameters
    points: Points
    L: Array
    alpha: Array

    def predict(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance at m points, each of shape (m,)."""
        k = covariance(self.theta, self.points, at)
        v = _solve(self.L, k)
        variance = self.theta.variance - np.einsum("ij,ij->j", v, v)
        return k.T @ self.alpha, np.maximum(variance, 1e-12)

    def quantile(self, at: Points, q: float) -> Array:
        """Return the q-quantile of the function's value at m points, shape (m,)."""
        from scipy.special import ndtri

        mean, variance = self.predict(at)
        return np.asarray(mean + float(ndtri(q)) * np.sqrt(variance))

    def joint(self, at: Points) -> tuple[Array, Array]:
        """Return the joint mean (m,) and covariance (m, m) at m points."""
        k = covariance(self.theta, self.points, at)
        v = _solve(self.L, k)
        return k.T @ self.alpha, covariance(self.theta, at, at) - v.T @ v

    def sample(self, at: Points, rng: np.random.Generator, draws: int = 1) -> Array:
        """Return joint samples of the function at m points, shape (draws, m)."""
        mean, C = self.joint(at)
        return np.asarray(mean + rng.standard_normal((draws, len(at))) @ cholesky(C).T)

    def gradient(self, at: Points) -> tuple[float, float, Array, Array]:
        """Return mean, variance, and their gradients by the p features, at one point."""
        theta = self.theta
        u, U = theta.scaled(at), theta.scaled(self.points)
        k, slope = matern52(squared_distances(U, u)[:, 0])
        signal = math.exp(theta.signal)
        same = self.points.cell == at.cell[0]
        column = 1.0 + signal * k + math.exp(theta.cell) * same
        if theta.effects > -math.inf:
            share = math.exp(theta.effects) / at.groups
            each, fall = effect(group_distances(U, u, at.group)[:, :, 0])
            column = column + share * each.sum(axis=0)
        v = _solve(self.L, column[:, None])
        w = lapack.dtrtrs(self.L, v, lower=1, trans=1)[0][:, 0]
        variance = theta.variance - float(v[:, 0] @ v[:, 0])
        # d k_i / d z = 2 sigma_f^2 k'(r2_i) (u - u_i) / l
        weights = np.stack([self.alpha, -2.0 * w]) * (2.0 * signal * slope)
        pull = (weights.sum(axis=1)[:, None] * u - weights @ U) * np.exp(-theta.length)[at.group]
        if theta.effects > -math.inf:
            own = 2.0 * share * fall[at.group].T * (u - U) * np.exp(-theta.length)[at.group]
            pull = pull + np.stack([self.alpha, -2.0 * w]) @ own
        return float(column @ self.alpha), max(variance, 1e-12), pull[0], pull[1]

    def believing(self, at: Points) -> Posterior:
        """Return the posterior that has also seen its own mean at m points.

        The mean stays as it is everywhere, so that only certainty grows ("kriging believer" [1]);
        K^-1 y gets zeros for the new points.

        References
        ----------
        .. [1] D. Ginsbourger, R. Le Riche and L. Carraro. Kriging Is Well-Suited to Parallelize
               Optimization. 2010.
        """
        if not len(at):
            return self
        n, m = len(self.points), len(at)
        B = _solve(self.L, covariance(self.theta, self.points, at))
        corner = covariance(self.theta, at, at) - B.T @ B
        corner.flat[:: m + 1] += self.theta.noise_variance
        L = np.zeros((n + m, n + m))
        L[:n, :n], L[n:, :n], L[n:, n:] = self.L, B.T, cholesky(corner)
        alpha = np.concatenate([self.alpha, np.zeros(m)])
        return Posterior(self.theta, self.points.joined(at), L, alpha)


def condition(theta: Hyperparameters, points: Points, y: Array) -> Posterior:
    """Return the posterior after values y (n,) were measured, with noise, at n points."""
    K = covariance(theta, points, points)
    K.flat[:: len(K) + 1] += theta.noise_variance
    L = cholesky(K) if len(K) else np.empty((0, 0))
    alpha = lapack.dpotrs(L, y, lower=1)[0] if len(K) else np.empty(0)
    return Posterior(theta, points, L, alpha)


def _solve(L: Array, B: Array) -> Array:
    """Return L^-1 B for lower triangular L."""
    return np.asarray(lapack.dtrtrs(L, B, lower=1)[0]) if len(L) else B
