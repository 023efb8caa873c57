"""Anytime performance of a step curve: its value at a time, its area, when it crosses a target.

A curve is a right-continuous step function: it takes ``values[i]`` at ``times[i]`` and keeps it
until the next time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maquette.errors import BenchmarkError

Array = NDArray[np.float64]


def at(times: ArrayLike, values: ArrayLike, grid: ArrayLike, before: float = math.nan) -> Array:
    """Return the curve at the times of a grid, in its shape; `before` ahead of the first time."""
    t, v = _curve(times, values)
    place = np.searchsorted(t, np.asarray(grid, dtype=float), side="right")
    return np.concatenate([[before], v])[place]


def area(
    times: ArrayLike, values: ArrayLike, until: float, *, start: float = 0.0, before: float = 1.0
) -> float:
    """Return the mean height of the curve over ``[start, until]``.

    Parameters
    ----------
    times, values
        The curve, shape (n,).
    until, start
        Ends of the interval, in the unit of the times.
    before
        The height ahead of the first time; 1 is the regret of the median config.

    Raises
    ------
    BenchmarkError
        If the interval is empty.
    """
    if not until > start:
        raise BenchmarkError(f"the area from {start:g} to {until:g} spans no time")
    t, v = _curve(times, values)
    inside = (t > start) & (t < until)
    edges = np.concatenate([[start], t[inside], [until]])
    heights = at(t, v, edges[:-1], before)
    return float(np.sum(np.diff(edges) * heights) / (until - start))


def crossing(times: ArrayLike, values: ArrayLike, target: float) -> float:
    """Return the first time at which the curve is at or below a target; infinity if never."""
    t, v = _curve(times, values)
    below = np.flatnonzero(v <= target)
    return float(t[below[0]]) if len(below) else math.inf


def _curve(times: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    t, v = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    if t.shape != v.shape or t.ndim != 1:
        raise BenchmarkError(f"a curve has as many times as values, not {t.shape} and {v.shape}")
    if (np.diff(t) < 0).any():
        raise BenchmarkError("the times of a curve must not go back")
    return t, v
