"""Profiles: on what share of the tasks, or runs, is an optimizer good enough?

References
----------
.. [1] E. D. Dolan and J. J. Moré. Benchmarking Optimization Software with Performance Profiles.
       Math. Program. 91, 2002.
.. [2] G. E. Dahl et al. Benchmarking Neural Network Training Algorithms. arXiv:2306.07179, 2023;
       the score with the current rules of MLCommons' AlgoPerf (r_max = 4).
.. [3] R. Agarwal et al. Deep Reinforcement Learning at the Edge of the Statistical Precipice.
       NeurIPS 2021. (Score distributions.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maquette.errors import BenchmarkError

Array = NDArray[np.float64]


def ratio_profile(times: ArrayLike, tau: ArrayLike) -> Array:
    """Return rho_s(tau) [1], shape (k, len(tau)).

    The share of tasks on which optimizer s reaches the target within `tau` times the time of the
    fastest one.

    Parameters
    ----------
    times
        Time to target, shape (tasks, k), positive; infinity or NaN: never reached.
    tau
        Ratios, 1 or more.
    """
    r = _ratios(times)
    return np.asarray((r[:, :, None] <= np.asarray(tau, dtype=float)).mean(axis=0))


def algoperf_score(times: ArrayLike, r_max: float = 4.0) -> Array:
    """Return B_s = 1/(r_max - 1) times the integral of rho_s from 1 to r_max, shape (k,) [2].

    1: the fastest on every task; 0: never within `r_max` of the fastest. The integral is exact:
    a task whose ratio is r adds ``r_max - r`` to it.

    Raises
    ------
    BenchmarkError
        If `r_max` is not above 1.
    """
    if not r_max > 1:
        raise BenchmarkError(f"r_max must be above 1, not {r_max!r}")
    left = np.clip(r_max - _ratios(times), 0.0, None)
    return np.asarray(left.mean(axis=0) / (r_max - 1))


def score_profile(scores: ArrayLike, tau: ArrayLike) -> Array:
    """Return the share of runs whose score is at most tau, shape (k, len(tau)) [3].

    Parameters
    ----------
    scores
        Shape (tasks, k, seeds), lower is better; NaN: no result. Every task weighs the same.
    tau
        Thresholds.
    """
    X = np.asarray(scores, dtype=float)[..., None]
    bar = np.asarray(tau, dtype=float)
    return np.asarray((bar >= X).mean(axis=(0, 2)))


def speedup(times: ArrayLike, baseline: int) -> Array:
    """Return by what factor each optimizer is faster than a baseline, shape (k,).

    The median over tasks of ``time of the baseline / own time``: 2 is twice as fast. A target that
    the baseline alone misses counts as infinitely faster, one that only the optimizer misses as
    0; where both miss, the task says nothing. NaN if no task says anything.
    """
    T = np.asarray(times, dtype=float)
    T = np.where(np.isnan(T), np.inf, T)
    base = T[:, [baseline]]
    with np.errstate(invalid="ignore"):
        ratio = np.where(np.isinf(T), np.where(np.isinf(base), np.nan, 0.0), base / T)
    return np.array([_median(column[~np.isnan(column)]) for column in ratio.T])


def _median(values: Array) -> float:
    """The median; between a finite and an infinite value, the geometric mean has no meaning."""
    if not len(values):
        return float("nan")
    ordered = np.sort(values)
    low, high = ordered[(len(values) - 1) // 2], ordered[len(values) // 2]
    if low == high:
        return float(low)
    return float(np.sqrt(low * high)) if low > 0 and np.isfinite(high) else float(low)


def _ratios(times: ArrayLike) -> Array:
    T = np.asarray(times, dtype=float)
    if T.ndim != 2 or (T <= 0).any():
        raise BenchmarkError("times are positive, of shape (tasks, optimizers)")
    T = np.where(np.isnan(T), np.inf, T)
    best = T.min(axis=1, keepdims=True)
    return np.where(np.isinf(T), np.inf, T / np.where(np.isinf(best), 1.0, best))
