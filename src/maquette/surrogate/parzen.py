"""Parzen densities over a mixed, conditional space.

A density is a mixture of one kernel for each config, and one uniform component, the prior:

    p(x) = w_0 + sum_i w_i prod_d k_d(x_d, mu_id)

The kernels of one component multiply over dimensions, so that settings that were good together stay
together [2]. A numeric dimension has a Gaussian truncated to the unit interval, a choice keeps its
value with probability 1 - b and draws any with probability b [1, 3]. Where a dimension does not
exist, in the config asked about or in the component's, the kernel is one, the uniform density.

All components share one bandwidth for each dimension. The sum of log kernels is then one product of
matrices: of x^2, x and 1 by 1, mu and mu^2, and of the indicators of the values of choices. That is
what makes a density of ten thousand configs cheap.

References
----------
.. [1] J. Bergstra, R. Bardenet, Y. Bengio and B. Kégl. Algorithms for Hyper-Parameter
       Optimization. NeurIPS 2011.
.. [2] S. Falkner, A. Klein and F. Hutter. BOHB: Robust and Efficient Hyperparameter Optimization at
       Scale. ICML 2018.
.. [3] J. Aitchison and C. G. G. Aitken. Multivariate Binary Discrimination by the Kernel Method.
       Biometrika 63, 1976.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TABULATED = 512  # places that the mass inside the unit interval is tabulated at, for more rows


@final
@dataclass(frozen=True, slots=True)
class Dimensions:
    """What a density needs to know of a space: cardinality (d,), and which are choices (d,)."""

    cardinality: NDArray[np.integer[Any]]
    choice: Mask

    @property
    def numeric(self) -> NDArray[np.intp]:
        """Indices of the numeric dimensions."""
        return np.flatnonzero(~self.choice)

    @property
    def choices(self) -> tuple[tuple[int, int], ...]:
        """(dimension, number of values) of the choices."""
        return tuple((int(j), int(self.cardinality[j])) for j in np.flatnonzero(self.choice))

    def levels(self, X: Array, j: int, m: int) -> NDArray[np.intp]:
        """Which of m values each row (n, d) holds in dimension j, shape (n,)."""
        return np.minimum((X[:, j] * m).astype(np.intp), m - 1)


@final
@dataclass(frozen=True, slots=True)
class Parzen:
    """A density around configs.

    Attributes
    ----------
    X, active
        The configs in the unit cube and their activity masks, shape (n, d).
    weight
        Weights of the configs (n,); with the prior's they sum to 1.
    bandwidth
        Standard deviation of the kernel of each numeric dimension (numeric,).
    blur
        Chance that a choice is drawn anew.
    """

    dimensions: Dimensions
    X: Array
    active: Mask
    weight: Array
    bandwidth: Array
    blur: float

    @property
    def prior(self) -> float:
        """Weight of the uniform component."""
        return max(1.0 - float(self.weight.sum()), 1e-12)

    def log_density(self, X: Array, active: Mask) -> Array:
        """Log density at rows (m, d) with activity (m, d), shape (m,)."""
        k = self._log_kernels(X, active)
        k += np.log(np.maximum(self.weight, 1e-300))
        highest = np.maximum(k.max(axis=1, initial=-np.inf), math.log(self.prior))
        k -= highest[:, None]
        total = np.exp(k, out=k).sum(axis=1) + self.prior * np.exp(-highest)
        return np.asarray(highest + np.log(total))

    def _log_kernels(self, X: Array, active: Mask) -> Array:
        """Sum of the log kernels over dimensions, (m, n): one product of features, see above."""
        if active.all() and self.active.all():
            return self._log_kernels_of_all(X)
        at, s = self.dimensions.numeric, self.bandwidth
        ax, ai = active[:, at].astype(float), self.active[:, at].astype(float)
        x, mu = X[:, at] / s, self.X[:, at] / s
        log_z = np.log(s * math.sqrt(2 * math.pi)) + np.log(_inside(self.X[:, at], s))
        # (x - mu)^2 = x^2 - 2 x mu + mu^2, where both exist.
        left = [ax * x, -0.5 * ax * x**2, -ax]
        right = [ai * mu, ai, ai * (0.5 * mu**2 + log_z)]
        for j, m in self.dimensions.choices:
            # Densities are relative to a uniform draw, as those of numeric dimensions are.
            kept, other = math.log(self.blur + m * (1.0 - self.blur)), math.log(self.blur)
            here, there = active[:, [j]].astype(float), self.active[:, [j]].astype(float)
            values = np.arange(m)
            left += [other * here, (kept - other) * here * self._holds(X, j, m, values)]
            right += [there, there * self._holds(self.X, j, m, values)]
        return np.asarray(np.concatenate(left, axis=1) @ np.concatenate(right, axis=1).T)

    def _log_kernels_of_all(self, X: Array) -> Array:
        """The same where every dimension exists: sums over dimensions are taken before."""
        at, s = self.dimensions.numeric, self.bandwidth
        x, mu = X[:, at] / s, self.X[:, at] / s
        there = _log_inside(self.X[:, at], s).sum(axis=1)
        there += 0.5 * (mu * mu).sum(axis=1) + np.log(s * math.sqrt(2 * math.pi)).sum()
        here = -0.5 * (x * x).sum(axis=1)
        left: list[Array] = [x]
        right: list[Array] = [mu]
        for j, m in self.dimensions.choices:
            kept, other = math.log(self.blur + m * (1.0 - self.blur)), math.log(self.blur)
            values = np.arange(m)
            here += other
            left.append((kept - other) * self._holds(X, j, m, values).astype(float))
            right.append(self._holds(self.X, j, m, values).astype(float))
        k = np.concatenate(left, axis=1) @ np.concatenate(right, axis=1).T
        k += here[:, None]
        k -= there
        return np.asarray(k)

    def _holds(self, X: Array, j: int, m: int, values: NDArray[np.intp]) -> Mask:
        """Whether rows (n, d) hold each of some of the m values in dimension j, (n, values)."""
        return np.asarray(self.dimensions.levels(X, j, m)[:, None] == values)

    def sample(self, m: int, rng: np.random.Generator) -> Array:
        """Draw rows (m, d) of the unit cube; what is inactive in a component is drawn anywhere."""
        from scipy.special import ndtr, ndtri

        p = np.append(self.weight, self.prior)
        component = np.searchsorted(np.cumsum(p / p.sum()), rng.random(m), side="right")
        out = rng.random((m, self.X.shape[1]))
        own = np.flatnonzero(component < len(self.X))
        i = component[own]
        at, s = self.dimensions.numeric, self.bandwidth
        mu = self.X[np.ix_(i, at)]
        low, high = ndtr(-mu / s), ndtr((1.0 - mu) / s)
        drawn = mu + s * ndtri(low + (high - low) * out[np.ix_(own, at)])
        numeric = np.where(self.active[np.ix_(i, at)], drawn, out[np.ix_(own, at)])
        out[np.ix_(own, at)] = np.clip(numeric, 0.0, 1.0)
        chosen = np.flatnonzero(self.dimensions.choice)
        kept = self.active[np.ix_(i, chosen)] & (rng.random((len(own), len(chosen))) >= self.blur)
        out[np.ix_(own, chosen)] = np.where(
            kept, self.X[np.ix_(i, chosen)], out[np.ix_(own, chosen)]
        )
        return out


def parzen(dimensions: Dimensions, X: Array, active: Mask, weight: Array, least: float) -> Parzen:
    """Return the density around configs.

    Parameters
    ----------
    dimensions
        The space's.
    X, active
        Configs in the unit cube and their activity masks (n, d).
    weight
        Relative weights (n,); the prior weighs as one config of mean weight.
    least
        Smallest bandwidth. A bandwidth is Scott's rule on the weighted spread of the dimension,
        to which the uniform prior belongs as one config.
    """
    n, d = X.shape
    share = weight / weight.sum() * (n / (n + 1.0)) if n else weight
    at = dimensions.numeric
    w = share[:, None] * active[:, at]
    total = w.sum(axis=0) + 1.0 / (n + 1.0)
    mean = ((w * X[:, at]).sum(axis=0) + 0.5 / (n + 1.0)) / total
    prior = ((mean - 0.5) ** 2 + 1.0 / 12.0) / (n + 1.0)
    spread = np.sqrt(((w * (X[:, at] - mean) ** 2).sum(axis=0) + prior) / total)
    shrink = (n + 1.0) ** (-1.0 / (4.0 + d))
    return Parzen(
        dimensions, X, active, share, np.maximum(spread * shrink, least), 1.0 / math.sqrt(n + 1.0)
    )


def _log_inside(mu: Array, s: Array) -> Array:
    """Return log `_inside` (n, k); for many rows by linear interpolation, to 2e-4 at worst."""
    if len(mu) <= TABULATED:
        return np.asarray(np.log(_inside(mu, s)))
    table = np.log(_inside(np.linspace(0.0, 1.0, TABULATED + 1)[:, None], s))
    place = mu * TABULATED
    left = np.minimum(place.astype(np.intp), TABULATED - 1)
    dimension = np.arange(mu.shape[1])
    low = table[left, dimension]
    return np.asarray(low + (place - left) * (table[left + 1, dimension] - low))


def _inside(mu: Array, s: Array) -> Array:
    """Mass of the Gaussians at mu (n, k) with deviations s (k,) within the unit interval."""
    from scipy.special import ndtr

    return np.asarray(ndtr((1.0 - mu) / s) - ndtr(-mu / s))
