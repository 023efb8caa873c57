"""A mixture of Gaussian processes on the same points: one for each set of hyperparameters.

Mean and variance are those of the mixture, by the laws of total expectation and total variance.
With several members all of them are computed at once: the distances of a point to all others in
each group of columns are shared, and everything else is an array over members.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from maquette.surrogate.effects import effect, group_distances
from maquette.surrogate.gp import Points
from maquette.surrogate.matern import matern52
from maquette.surrogate.plausible import Plausible
from maquette.surrogate.posterior import Posterior, condition

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class _Stack:
    """What the members are made of, as arrays over J members.

    Attributes
    ----------
    inverse
        exp(-2 log lengthscale), shape (J, groups).
    signal, cell, effects, variance
        Variances, shape (J,); `variance` is the prior's at one point.
    root, alpha
        L^-1, shape (J, n, n), and K^-1 y, shape (J, n).
    """

    inverse: Array
    signal: Array
    cell: Array
    effects: Array
    variance: Array
    root: Array
    alpha: Array


@final
@dataclass(frozen=True, slots=True)
class Mixture:
    """Posteriors of the same points with different hyperparameters; build it with `mixture`.

    Attributes
    ----------
    members, weight
        J posteriors, and their weights, shape (J,).
    """

    members: tuple[Posterior, ...]
    weight: Array
    _stack: _Stack | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        several = len(self.members) > 1 and len(self.points) > 0 and self.points.groups > 0
        object.__setattr__(self, "_stack", _stacked(self.members) if several else None)

    @property
    def points(self) -> Points:
        """The points conditioned on."""
        return self.members[0].points

    @property
    def noises(self) -> Array:
        """Variance of a measurement about each member, shape (J,)."""
        return np.array([member.theta.noise_variance for member in self.members])

    @property
    def noise(self) -> float:
        """Variance of a measurement, its mean over members."""
        return float(self.weight @ self.noises)

    def each(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance of every member at m points, each of shape (J, m)."""
        stack = self._stack
        if stack is None:
            found = [p.predict(at) for p in self.members]
            return np.stack([m for m, _ in found]), np.stack([v for _, v in found])
        R = group_distances(self.points.Z, at.Z, at.group)
        same = self.points.cell[:, None] == at.cell[None, :]
        means, variances = [], []
        for j in range(len(self.members)):
            column = self._column(stack, j, R, same)
            v = stack.root[j] @ column
            means.append(stack.alpha[j] @ column)
            variances.append(stack.variance[j] - np.einsum("ij,ij->j", v, v))
        return np.stack(means), np.maximum(np.stack(variances), 1e-12)

    def predict(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance at m points, each of shape (m,)."""
        means, variances = self.each(at)
        mean = self.weight @ means
        return mean, self.weight @ (variances + (means - mean) ** 2)

    def joint(self, at: Points) -> tuple[Array, Array]:
        """Return the joint mean (m,) and covariance (m, m) at m points."""
        found = [p.joint(at) for p in self.members]
        mean = np.asarray(sum(w * m for w, (m, _) in zip(self.weight, found, strict=True)))
        C = np.zeros((len(at), len(at)))
        for w, (m, each) in zip(self.weight, found, strict=True):
            C += w * (each + np.outer(m - mean, m - mean))
        return mean, C

    def slopes(self, at: Points) -> tuple[Array, Array, Array, Array]:
        """Return means and variances (J,) at one point, and their gradients (J, p)."""
        stack = self._stack
        if stack is None:
            found = [p.gradient(at) for p in self.members]
            at_one = np.array([each[:2] for each in found])
            d_mean, d_variance = (np.stack([each[k] for each in found]) for k in (2, 3))
            return at_one[:, 0], at_one[:, 1], d_mean, d_variance
        apart = at.Z - self.points.Z  # (n, p)
        R = group_distances(self.points.Z, at.Z, at.group)[:, :, 0]
        scaled = stack.inverse[:, :, None] * R  # (J, G, n)
        k, slope = matern52(scaled.sum(axis=1))
        each, fall = effect(scaled)
        share = stack.effects / at.groups
        same = self.points.cell == at.cell[0]
        column = 1.0 + stack.signal[:, None] * k + stack.cell[:, None] * same
        column += share[:, None] * each.sum(axis=1)
        v = (stack.root @ column[:, :, None])[:, :, 0]
        w = (v[:, None, :] @ stack.root)[:, 0]
        variance = np.maximum(stack.variance - (v * v).sum(axis=1), 1e-12)
        # d k / d z = 2 sum over points of (dk / d r_g^2) (z - z_i) / l_g^2
        pull = 2.0 * (stack.signal[:, None] * slope)[:, None, :]
        pull = (pull + 2.0 * share[:, None, None] * fall) * stack.inverse[:, :, None]
        pull = pull[:, at.group, :] * apart.T  # (J, p, n)
        d_mean = (pull @ stack.alpha[:, :, None])[:, :, 0]
        d_variance = (pull @ (-2.0 * w)[:, :, None])[:, :, 0]
        return (stack.alpha * column).sum(axis=1), variance, d_mean, d_variance

    def gradient(self, at: Points) -> tuple[float, float, Array, Array]:
        """Return mean, variance, and their gradients by the p features, at one point."""
        means, variances, d_means, d_variances = self.slopes(at)
        mean, d_mean = float(self.weight @ means), self.weight @ d_means
        off = means - mean
        variance = float(self.weight @ (variances + off**2))
        inner = d_variances + 2.0 * off[:, None] * (d_means - d_mean)
        return mean, variance, d_mean, self.weight @ inner

    def believing(self, at: Points) -> Mixture:
        """Return the mixture whose members have seen their own means at m points."""
        return Mixture(tuple(p.believing(at) for p in self.members), self.weight)

    def _column(self, stack: _Stack, j: int, R: Array, same: NDArray[np.bool_]) -> Array:
        """Return the prior covariance (n, m) of one member, from distances (groups, n, m)."""
        scaled = stack.inverse[j][:, None, None] * R
        k, _ = matern52(scaled.sum(axis=0))
        total = 1.0 + stack.signal[j] * k + stack.cell[j] * same
        if stack.effects[j] > 0.0:
            scaled *= 0.5
            scaled += 1.0
            each = np.reciprocal(scaled, out=scaled).sum(axis=0)
            total += (stack.effects[j] / len(R)) * each
        return np.asarray(total)


def mixture(beliefs: Plausible, points: Points, y: Array) -> Mixture:
    """Return the mixture after values y (n,) were measured, with noise, at n points."""
    members = tuple(condition(theta, points, y) for theta in beliefs.theta)
    return Mixture(members, np.array(beliefs.weight))


def _stacked(members: tuple[Posterior, ...]) -> _Stack:
    thetas = [p.theta for p in members]
    return _Stack(
        inverse=np.exp(-2.0 * np.stack([t.length for t in thetas])),
        signal=np.exp([t.signal for t in thetas]),
        cell=np.exp([t.cell for t in thetas]),
        effects=np.exp([t.effects for t in thetas]),
        variance=np.array([t.variance for t in thetas]),
        root=np.stack([lapack.dtrtri(p.L, lower=1)[0] for p in members]),
        alpha=np.stack([p.alpha for p in members]),
    )
