"""Values by their order alone: ranks, and what a normal distribution would have put there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]


def midranks(values: Sequence[float] | Array) -> Array:
    """Return how many of m values lie below each, ties counting half, itself too, shape (m,)."""
    _, index, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - 0.5 * count)[index.reshape(-1)], dtype=float)


def normal_scores(values: Sequence[float] | Array) -> Array:
    """Return m values as standard normal quantiles of their ranks, ties shared, shape (m,)."""
    return np.asarray(ndtri(midranks(values) / max(len(values), 1)), dtype=float)
