"""Ranks of optimizers within each task and seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]


def ranks(scores: ArrayLike, axis: int = 1) -> Array:
    """Return ranks from 1 (lowest score) along an axis; ties share their mean rank.

    NaN and infinity rank last, together. Same shape as `scores`.
    """
    values = np.asarray(scores, dtype=float)
    return np.asarray(rankdata(np.where(np.isnan(values), np.inf, values), axis=axis))


def mean_ranks(scores: ArrayLike) -> Array:
    """Return the mean rank of each optimizer, shape (optimizers,).

    Parameters
    ----------
    scores
        Shape (tasks, optimizers) or (tasks, optimizers, seeds). With seeds, optimizers are ranked
        within each pair of task and seed; every task weighs the same.
    """
    ranked = ranks(scores)
    return np.asarray(ranked.mean(axis=(0, 2) if ranked.ndim == 3 else 0))
