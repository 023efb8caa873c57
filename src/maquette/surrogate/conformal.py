"""Quantile models whose bands cover as often as they say: conformalised quantile regression.

Of n_v points that were held back, those outside the band of a pair of levels are off by
e = max(q_lo - y, y - q_hi). The band of nominal coverage c is widened by the k-th least of them,
k = ceil((n_v + 1) c), so that it covers a new point with probability at least c whatever the noise
is, exactly k / (n_v + 1) where errors have no ties [1, theorem 1]. With fewer points than k it is
widened by the largest.

References
----------
.. [1] Y. Romano, E. Patterson and E. J. Candès. Conformalized Quantile Regression. NeurIPS 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from maquette.surrogate.boosting import Boosted, boost
from maquette.surrogate.gp import Points

Array = NDArray[np.float64]

LEVELS = np.arange(1, 6) / 6.0
# From this many observations on, one in ten is held back.
LEAST_SPLIT, HELD_BACK = 33, 10


@final
@dataclass(frozen=True, slots=True)
class Conformal:
    """Boosted quantiles and by how much each is moved, shape (L,)."""

    model: Boosted
    moved: Array

    def quantiles(self, at: Points) -> Array:
        """Return the quantiles of all levels at m points, shape (L, m); they never cross."""
        return np.asarray(np.sort(self.model.predict(at.Z) + self.moved[:, None], axis=0))

    def predict(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance at m points, of the normal that has the outer quantiles."""
        q = self.quantiles(at)
        spread = (q[-1] - q[0]) / (ndtri(self.model.levels[-1]) - ndtri(self.model.levels[0]))
        return np.asarray(q.mean(axis=0)), np.asarray(np.maximum(spread, 1e-9) ** 2)

    def quantile(self, at: Points, q: float) -> Array:
        """Return the q-quantile at m points, linear between levels and flat beyond, (m,)."""
        found, levels = self.quantiles(at), self.model.levels
        place = float(np.interp(q, levels, np.arange(len(levels))))
        low = math.floor(place)
        high = min(low + 1, len(levels) - 1)
        return np.asarray(found[low] + (place - low) * (found[high] - found[low]))

    def sample(self, at: Points, rng: np.random.Generator, draws: int = 1) -> Array:
        """Return draws (draws, m): at each point one of the levels' quantiles, independently."""
        found = self.quantiles(at)
        level = rng.integers(len(found), size=(draws, len(at)))
        return np.asarray(np.take_along_axis(found, level, axis=0))


def conformal(points: Points, y: Array, trees: int = 40) -> Conformal:
    """Return the quantile model of n >= 1 observations; from `LEAST_SPLIT` on, conformalised."""
    n = len(y)
    held = (
        np.arange(n) % HELD_BACK == HELD_BACK - 1 if n >= LEAST_SPLIT else np.zeros(n, dtype=bool)
    )
    model = boost(points.Z[~held], y[~held], LEVELS, trees=trees)
    moved = np.zeros(len(LEVELS))
    if held.any():
        q = model.predict(points.Z[held])
        for low in range(len(LEVELS) // 2):
            high = len(LEVELS) - 1 - low
            errors = np.maximum(q[low] - y[held], y[held] - q[high])
            e = widening(errors, float(LEVELS[high] - LEVELS[low]))
            moved[low], moved[high] = -e, e
    return Conformal(model, moved)


def widening(errors: Array, coverage: float) -> float:
    """Return by how much a band is widened to cover, of errors (n_v,)."""
    k = math.ceil(round((len(errors) + 1) * coverage, 9))
    return float(np.sort(errors)[min(k, len(errors)) - 1])
