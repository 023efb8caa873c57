"""Noise that a config and a row determine: ask twice, and the same number comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from maquette.bench.task import Array, Rows

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def normal(values: Array, rows: Rows, stream: int = 0) -> Array:
    """Return standard normal numbers, shape (n,), that look independent.

    Parameters
    ----------
    values
        Configs as rows of numbers, shape (n, d); NaN where inactive.
    rows
        Seeds, shape (n,).
    stream
        Another stream, other numbers.
    """
    return np.asarray(ndtri(uniform(values, rows, stream)))


def uniform(values: Array, rows: Rows, stream: int = 0) -> Array:
    """Return numbers in (0, 1), shape (n,), as `normal` does."""
    words = np.nan_to_num(values, nan=-1.25).astype(np.float64)
    words = words + 0.0  # -0.0 is 0.0
    state = _mix(rows.astype(np.uint64) ^ _mix(np.full(len(rows), stream, dtype=np.uint64)))
    for column in words.T:
        state = _mix(state ^ np.ascontiguousarray(column).view(np.uint64))
    return np.asarray(((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def _mix(z: NDArray[Any]) -> NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), a step further."""
    with np.errstate(over="ignore"):
        z = z + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX[0]
        z = (z ^ (z >> np.uint64(27))) * _MIX[1]
        return np.asarray(z ^ (z >> np.uint64(31)))
