"""What the posterior says at one scale, as draws.

A scale that was not tried gets an effect of its own (its floor and optimum differ from the law as
much as the scales at hand do), and what the floor's law says beyond the scales tried is believed to
a quarter of the change; an axis that never varied gets its exponents from the prior: a
direction that the data does not inform returns the prior with that width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.scaling.coordinates import Array
from maquette.scaling.mean import Layout, Parts, Rows, log_floor, log_kappa, optimum
from maquette.scaling.prior import Sizes
from maquette.scaling.valley import fold, joined, mixing, roots, siding, valley

# Of a fall of the floor that is extrapolated, one spread: refits of one law on one table move its
# exponents by as much (the token exponent of arXiv:2203.15556, 0.28, became 0.37 in 2404.10102).
DEPARTURE = 0.25
# No path of an optimum is quite a power law: its exponents change by twice this for each e-fold of
# scale, one spread. Four families of synthetic tables together are covered as intervals promise.
CURVE = 0.02
SPAN = 0.7  # a range narrower than a factor of two counts as that


@final
@dataclass(frozen=True, slots=True)
class Target:
    """Draws of the floor and the valley at one scale, for one combination of choices.

    Attributes
    ----------
    centre
        Optimal coordinates x* (S, p).
    log_floor
        Log loss at the optimum (S,).
    log_kappa, k, h2, m, t
        Curvature (S, p), asymmetry (S, p), linearity (S, p), mixing and siding (S, p, p).
    """

    centre: Array
    log_floor: Array
    log_kappa: Array
    k: Array
    h2: Array
    m: Array
    t: Array

    def excess(self, x: Array) -> Array:
        """Relative excess of settings x (p,) or (n, p) in each draw: (S,) or (S, n)."""
        points = np.atleast_2d(x)
        u = points[None] - self.centre[:, None]
        out = valley(u, self.log_kappa[:, None, :], self.k, self.h2, self.m, self.t)
        return out[:, 0] if np.ndim(x) == 1 else out

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """Gradient (p,) of the mean excess at x (p,) and its Gauss-Newton Hessian (p, p)."""
        h = 1e-5
        kappa, u = self.log_kappa[:, None, :], (x - self.centre)[:, None]
        r = roots(u, kappa, self.k, self.h2)[:, 0]
        dr = (roots(u + h, kappa, self.k, self.h2) - roots(u - h, kappa, self.k, self.h2))[:, 0] / (
            2 * h
        )
        w = joined(r[:, None], self.m, self.t)[:, 0]
        # d w_i / d x_j = (M_ij + T_ij |r_j|' / 2) r'_j
        jac = (self.m + self.t * fold(r)[1][:, None, :]) * dr[:, None, :]
        gradient = np.einsum("si,sij->j", w, jac) / len(w)
        return gradient, np.einsum("sij,sik->jk", jac, jac) / len(w)

    def widened(self, optimum: float, floor: float) -> Target:
        """Stretch the draws of the optimum and of the floor about their medians."""
        c, f = np.median(self.centre, 0), np.median(self.log_floor)
        return Target(
            c + optimum * (self.centre - c),
            np.asarray(f + floor * (self.log_floor - f)),
            self.log_kappa,
            self.k,
            self.h2,
            self.m,
            self.t,
        )


@final
@dataclass(frozen=True, slots=True)
class Draws:
    """Posterior draws with what is needed to extend them to new scales and axes.

    Attributes
    ----------
    layout, theta
        Where parameters lie; draws (S, P).
    level_sd, shift_sd
        Spreads of the effects of single scales for each draw, (S,) and (S, p).
    sizes
        Spreads of the priors.
    still
        Mean and spread of the drift in the axes that did not vary, each (E, p).
    ranges
        Lowest and highest scale tried in the axes that varied, each (A,).
    seed
        Seed of the draws for scales and axes that the data does not hold.
    """

    layout: Layout
    theta: Array
    level_sd: Array
    shift_sd: Array
    sizes: Sizes
    still: tuple[Array, Array]
    ranges: tuple[Array, Array]
    seed: int

    def bend(self, s: Array) -> float:
        """Return how much a scale (A,) outside the range differs from the law, in their spreads.

        A law that single scales leave by one spread may leave them by as much again for each
        span of the tried range that the target lies beyond it.
        """
        low, high = self.ranges
        beyond = np.maximum(np.maximum(s - high, low - s), 0.0)
        return float(np.sqrt(1.0 + np.sum((beyond / np.maximum(high - low, SPAN)) ** 2)))

    def curve(self, s: Array) -> float:
        """Return by how much a bent path has left a straight law at a scale (A,), for unit bends.

        A line through the range of a path s^2 misses it by about d (d + span) at a distance d
        beyond, and by next to nothing inside.
        """
        low, high = self.ranges
        beyond = np.maximum(np.maximum(s - high, low - s), 0.0)
        return float(np.sqrt(np.sum((beyond * (beyond + high - low)) ** 2)))

    def _fall(self, parts: Parts, rows: Rows) -> Array:
        """How far the law says that the floor moves from the nearest scale tried (S,)."""
        edge = Rows(rows.x, np.clip(rows.s, *self.ranges), rows.g, rows.e)
        return np.asarray((log_floor(parts, rows) - log_floor(parts, edge))[:, 0])

    def alone(self, s: Array) -> bool:
        """Whether a scale (A,) is the only one tried: what differs there is in the law itself."""
        low, high = self.ranges
        return bool(np.all(low == high) and np.allclose(s, low, rtol=0.0, atol=1e-7))

    def at(self, s: Array, extra: Array, level: Array, cell: int | None) -> Target:
        """Return the target at scale s (A,), levels (L,).

        Parameters
        ----------
        s
            Scale in the axes that varied (A,).
        extra
            Log ratio to the only value tried, for each axis that did not vary (E,).
        level
            One-hot levels of the choices (L,).
        cell
            Index of the scale's own effect if it was tried, else None.
        """
        parts, lay, count = self.layout.split(self.theta), self.layout, len(self.theta)
        e = np.zeros((1, lay.cells))
        if cell is not None:
            e[0, cell] = 1.0
        rows = Rows(np.zeros((1, lay.p)), s[None], level[None], e)
        centre = optimum(parts, rows)[:, 0]
        low = log_floor(parts, rows)[:, 0]
        kappa = log_kappa(parts, rows.s)[:, 0]
        if cell is None and not self.alone(s):
            rng = np.random.default_rng([self.seed, 1])
            bend = self.bend(s)
            low = low + bend * self.level_sd * rng.standard_normal(count)
            centre = centre + bend * self.shift_sd * rng.standard_normal((count, lay.p))
            low = low + DEPARTURE * self._fall(parts, rows) * rng.standard_normal(count)
            away = CURVE * self.curve(s)
            centre = centre + away * rng.standard_normal((count, lay.p))
        z = self.sizes
        for i, ratio in enumerate(extra):
            if ratio == 0.0:
                continue
            rng = np.random.default_rng([self.seed, 2, i])
            a = np.exp(z.log_a + z.log_a_sd * rng.standard_normal(count))
            alpha = z.alpha + z.alpha_sd * rng.standard_normal(count)
            low = low + np.log1p(a * np.exp(-alpha * ratio)) - np.log1p(a)
            exponent = self.still[0][i] + self.still[1][i] * rng.standard_normal((count, lay.p))
            centre = centre + ratio * exponent
            kappa = kappa + z.kappa_drift * ratio * rng.standard_normal((count, lay.p))
        m, t = mixing(parts.q, lay.p), siding(parts.t, lay.p)
        return Target(centre, low, kappa, parts.k, parts.h2, m, t)
