"""Recorded runs as tasks: which is best in the end, seen from the beginnings of the curves?

A config names one of several recipes; its rows are the runs that were made of it. Curves that were
measured at different times are brought to common ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.bench.task import Array, Measured, Rows, all_done


@final
class Runs:
    """Curves of runs, grouped by what they are runs of.

    Parameters
    ----------
    steps
        Where all curves are given, rising, shape (m,).
    metrics
        Name to values, shape (runs, m).
    seconds
        Since a run began, shape (runs, m).
    groups
        For each recipe the numbers of its runs, none empty; a config's only value is the place of
        its recipe here.
    """

    def __init__(
        self,
        steps: Array,
        metrics: Mapping[str, Array],
        seconds: Array,
        groups: Sequence[NDArray[np.intp]],
    ) -> None:
        self._steps, self._metrics, self._seconds = steps, metrics, seconds
        self._counts = np.array([len(g) for g in groups])
        self._members = np.concatenate([np.asarray(g) for g in groups])
        self._first = np.concatenate([[0], np.cumsum(self._counts)[:-1]])
        self.rows = int(self._counts.max())

    def truth(self, metric: str) -> Array:
        """Return the last value of a metric, its mean over each recipe's runs, shape (recipes,)."""
        return self._mean(self._metrics[metric])[:, -1]

    def __call__(self, values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        """Look runs up; see `maquette.bench.task.Measure`."""
        del scale
        at = values[:, 0].astype(np.int64)
        if rows is None:
            metrics = {name: self._mean(v)[at] for name, v in self._metrics.items()}
            seconds = self._mean(self._seconds)[at]
        else:
            run = self._members[self._first[at] + rows % self._counts[at]]
            metrics = {name: v[run] for name, v in self._metrics.items()}
            seconds = self._seconds[run]
        return Measured(self._steps, metrics, seconds, None, all_done(len(at)), seconds[:, -1])

    def _mean(self, table: Array) -> Array:
        total = np.add.reduceat(table[self._members], self._first, axis=0)
        return np.asarray(total / self._counts[:, None])


def resample(at: Array, times: Array, values: Array) -> Array:
    """Return what was last measured at the times `at`; before the first, the first.

    Parameters
    ----------
    at
        Shape (m,).
    times, values
        Of one run, shape (k,); NaN values are passed over.
    """
    known = ~np.isnan(values)
    times, values = times[known], values[known]
    order = np.argsort(times, kind="stable")
    place = np.searchsorted(times[order], at, side="right") - 1
    return np.asarray(values[order][np.maximum(place, 0)])
