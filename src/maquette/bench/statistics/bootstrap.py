"""Bootstrap intervals for figures over tasks and seeds.

Seeds are resampled within each task, for all optimizers together (they are paired); the tasks are
either fixed (the stratified bootstrap of [1]: a statement about these tasks) or resampled too (a
statement about tasks like these, hence wider).

References
----------
.. [1] R. Agarwal, M. Schwarzer, P. S. Castro, A. Courville and M. G. Bellemare. Deep Reinforcement
       Learning at the Edge of the Statistical Precipice. NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maquette.errors import BenchmarkError

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """A figure for each of k optimizers with the ends of its interval, each of shape (k,)."""

    value: Array
    low: Array
    high: Array


def interval(
    figure: Callable[[Array], ArrayLike],
    scores: ArrayLike,
    *,
    level: float = 0.95,
    draws: int = 2000,
    tasks: bool = False,
    seed: int = 0,
) -> Interval:
    """Return a figure of the scores with a percentile bootstrap interval.

    Parameters
    ----------
    figure
        Maps scores of shape (tasks, optimizers, seeds) to a figure.
    scores
        Of that shape.
    level
        Coverage that the interval aims at, in (0, 1).
    draws
        Resamples; the ends are good to about ``1 / sqrt(draws)`` of their percentile.
    tasks
        Whether tasks are resampled too.
    seed
        Of the resampling: equal seeds give equal intervals.

    Raises
    ------
    BenchmarkError
        If the scores do not have three axes.
    """
    X = np.asarray(scores, dtype=float)
    if X.ndim != 3:
        raise BenchmarkError(f"scores have the shape (tasks, optimizers, seeds), not {X.shape}")
    n_tasks, _, n_seeds = X.shape
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        rows = rng.integers(n_tasks, size=n_tasks) if tasks else np.arange(n_tasks)
        columns = rng.integers(n_seeds, size=(n_tasks, 1, n_seeds))
        found.append(np.asarray(figure(np.take_along_axis(X[rows], columns, axis=2))))
    tail = (1 - level) / 2
    low, high = np.quantile(np.stack(found), [tail, 1 - tail], axis=0)
    return Interval(np.asarray(figure(X)), np.asarray(low), np.asarray(high))
