"""Losses on a scale that a Gaussian process can model: heavy upper tails drawn in, then standard.

Below the median the scale is the loss itself; above it the distance to the median grows only
logarithmically, in units of the spread below:

    g(y) = y                              for y <= m,
    g(y) = m + s log(1 + (y - m) / s)     for y > m,

with m the median and s the distance from the median down to the 5 % quantile, and never above
m + 5 s. So one run at a thousand times the usual loss moves the model little, order is kept, and
where the optimum lies losses are in their own unit. Then mean 0 and standard deviation 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Spreads above the median at which the scale ends: 147 spreads of the loss itself.
TOP = 5.0


@final
@dataclass(frozen=True, slots=True)
class Warp:
    """The map from losses to standard units, and back; `s` of 0 means no warping."""

    m: float
    s: float
    mean: float
    sd: float

    def forward(self, y: Array) -> Array:
        """Map losses to standard units, same shape."""
        return (_draw_in(y, self.m, self.s) - self.mean) / self.sd

    def back(self, z: Array) -> Array:
        """Map standard units to losses, same shape; undoes `forward` below the top."""
        g = self.mean + self.sd * np.asarray(z, dtype=float)
        if self.s <= 0:
            return g
        above = np.clip((g - self.m) / self.s, 0.0, TOP)
        return np.where(g > self.m, self.m + self.s * np.expm1(above), g)

    def slope(self, z: Array) -> Array:
        """Return d loss / d standard unit, same shape; turns standard deviations into losses."""
        g = self.mean + self.sd * np.asarray(z, dtype=float)
        if self.s <= 0:
            return np.full_like(g, self.sd)
        return self.sd * np.exp(np.clip((g - self.m) / self.s, 0.0, TOP))


def learn(y: Array) -> Warp:
    """Return the warp of losses (n,), n >= 0, below 1e305; constant losses map to zero."""
    if len(y) == 0:
        return Warp(0.0, 0.0, 0.0, 1.0)
    m, low = float(np.median(y)), float(np.quantile(y, 0.05))
    s = m - low
    if s <= 1e-12 * max(abs(m), 1e-300):
        s = 0.0
    g = _draw_in(y, m, s)
    # In units of the largest, so that no square leaves the range of floating point.
    unit = max(float(np.abs(g).max()), 1e-300)
    mean, sd = float((g / unit).mean()) * unit, float((g / unit).std()) * unit
    return Warp(m, s, mean, max(sd, 1e-12 * unit))


def _draw_in(y: Array, m: float, s: float) -> Array:
    if s <= 0:
        return np.asarray(y, dtype=float)
    above = np.minimum(np.log1p(np.maximum(y - m, 0.0) / s), TOP)
    return np.where(y > m, m + s * above, y)
