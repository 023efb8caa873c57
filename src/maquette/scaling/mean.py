"""The mean of the drift model and its parameters.

    E[log y] = log F(s) + V(x - x*(s); s)

with x*(s) linear in log scale. All linear parts share designs: a row of `Rows.z` is
(1, s, choice levels, cells), so that B holds the optimum at the middle of the scales, its drift,
and the shifts of choices and of single scales.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.scaling.coordinates import Array
from maquette.scaling.floor import floor, floor_jacobian
from maquette.scaling.valley import mixing, siding, valley, valley_jacobian


@final
@dataclass(frozen=True, slots=True)
class Rows:
    """Where the mean is evaluated: x (n, p), s (n, A), one-hot choice levels g (n, L), cells e."""

    x: Array
    s: Array
    g: Array
    e: Array

    @property
    def z(self) -> Array:
        """Design of the optimum (n, 1 + A + L + C)."""
        return np.concatenate([np.ones((len(self.s), 1)), self.s, self.g, self.e], 1)

    def take(self, index: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Rows:
        """Return the rows of an index."""
        return Rows(self.x[index], self.s[index], self.g[index], self.e[index])


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """Where each parameter lies in the vector theta.

    Attributes
    ----------
    p, a, levels, cells
        Varying numeric settings, varying axes, choice levels, scales with effects of their own.
    """

    p: int
    a: int
    levels: int
    cells: int

    @property
    def m(self) -> int:
        """Rows of B."""
        return 1 + self.a + self.levels + self.cells

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of log A, alpha, level (1, choices, cells), B, K, k, q, log h^2, t, log gamma."""
        p, a = self.p, self.a
        linear = 1 + self.levels + self.cells
        return (
            a,
            a,
            linear,
            self.m * p,
            (1 + a) * p,
            p,
            p * (p - 1) // 2,
            p,
            p * (p - 1),
            min(a, 1),
        )

    @property
    def starts(self) -> tuple[int, ...]:
        """First index of each block, and the length of theta."""
        return tuple(int(v) for v in np.cumsum((0, *self.sizes)))

    def split(self, theta: Array) -> Parts:
        """Name the blocks of theta (..., P)."""
        c = self.starts
        b = [theta[..., i:j] for i, j in itertools.pairwise(c)]
        lead = theta.shape[:-1]
        return Parts(
            log_a=b[0],
            alpha=b[1],
            level=b[2],
            b=b[3].reshape(*lead, self.m, self.p),
            kappa=b[4].reshape(*lead, 1 + self.a, self.p),
            k=b[5],
            q=b[6],
            h2=np.exp(b[7]),
            t=b[8],
            log_gamma=b[9],
        )


@final
@dataclass(frozen=True, slots=True)
class Parts:
    """Blocks of theta by name, with the leading dimensions of theta."""

    log_a: Array
    alpha: Array
    level: Array
    b: Array
    kappa: Array
    k: Array
    q: Array
    h2: Array
    t: Array
    log_gamma: Array


def optimum(parts: Parts, rows: Rows) -> Array:
    """Optimal coordinates x*(s), shape (..., n, p)."""
    return np.asarray(rows.z @ parts.b)


def log_floor(parts: Parts, rows: Rows) -> Array:
    """Log loss at the optimum, shape (..., n)."""
    ones = np.ones((len(rows.s), 1))
    linear = np.concatenate([ones, rows.g, rows.e], 1) @ parts.level[..., None]
    return np.asarray(linear[..., 0] + floor(parts.log_a, parts.alpha, parts.log_gamma, rows.s))


def log_kappa(parts: Parts, s: Array) -> Array:
    """Log curvature of each setting, shape (..., n, p)."""
    return np.asarray(np.concatenate([np.ones((len(s), 1)), s], 1) @ parts.kappa)


def excess(parts: Parts, rows: Rows) -> Array:
    """Relative excess V over the floor, shape (..., n)."""
    p = parts.k.shape[-1]
    if p == 0:
        return np.zeros((*parts.k.shape[:-1], len(rows.s)))
    u = rows.x - optimum(parts, rows)
    m, t = mixing(parts.q, p), siding(parts.t, p)
    return valley(u, log_kappa(parts, rows.s), parts.k, parts.h2, m, t)


def mean(parts: Parts, rows: Rows) -> Array:
    """Expected log loss, shape (..., n)."""
    return log_floor(parts, rows) + excess(parts, rows)


def mean_jacobian(layout: Layout, theta: Array, rows: Rows) -> tuple[Array, Array, Array]:
    """Mean (n,), excess (n,) and the derivative of the mean by theta (n, P)."""
    parts = layout.split(theta)
    n = len(rows.s)
    ones = np.ones((n, 1))
    by_a, by_alpha, by_gamma = floor_jacobian(parts.log_a, parts.alpha, parts.log_gamma, rows.s)
    blocks = [by_a, by_alpha, np.concatenate([ones, rows.g, rows.e], 1)]
    v = np.zeros(n)
    if layout.p:
        u = rows.x - optimum(parts, rows)
        m = mixing(parts.q, layout.p)
        kappa = log_kappa(parts, rows.s)
        t = siding(parts.t, layout.p)
        v, by_u, by_kappa, *rest = valley_jacobian(u, kappa, parts.k, parts.h2, m, t)
        z1 = np.concatenate([ones, rows.s], 1)
        blocks += [
            (-rows.z[:, :, None] * by_u[:, None, :]).reshape(n, -1),
            (z1[:, :, None] * by_kappa[:, None, :]).reshape(n, -1),
            *rest,
        ]
    return log_floor(parts, rows) + v, v, np.concatenate([*blocks, by_gamma], 1)
