"""Regret on a scale that tasks share: 0 is the optimum, 1 what the median config gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maquette.errors import BenchmarkError

Array = NDArray[np.float64]


def normalised_regret(loss: ArrayLike, optimum: float, median: float) -> Array:
    """Return ``(loss - optimum) / (median - optimum)``, in the shape of `loss`.

    Parameters
    ----------
    loss
        True losses of what was recommended; NaN where nothing was.
    optimum
        The least true loss.
    median
        The true loss of the median config of random search.

    Raises
    ------
    BenchmarkError
        If the median is not above the optimum: such a task has nothing to find.
    """
    if not median > optimum:
        raise BenchmarkError(
            f"the median config's loss {median!r} is not above the optimum {optimum!r}: "
            "regret has no scale on this task"
        )
    return np.asarray((np.asarray(loss, dtype=float) - optimum) / (median - optimum))


def incumbent(losses: ArrayLike) -> NDArray[np.int64]:
    """Return the index of the lowest loss so far, after each of n losses; -1 before the first.

    NaN and infinite losses never lead; of equal losses the first does. Shape (n,).
    """
    values = np.asarray(losses, dtype=float)
    finite = np.where(np.isfinite(values), values, np.inf)
    running = np.minimum.accumulate(finite) if len(finite) else finite
    fresh = (finite == running) & np.isfinite(finite)
    fresh[1:] &= running[1:] < running[:-1]
    return (
        np.maximum.accumulate(np.where(fresh, np.arange(len(values)), -1))
        if len(values)
        else (np.empty(0, dtype=np.int64))
    )
