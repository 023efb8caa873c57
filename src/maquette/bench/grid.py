"""Tables over a whole grid: every config was run, on several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from maquette.bench.task import Array, Measured, Rows, all_done
from maquette.errors import DataError


@final
class Grid:
    """What a whole grid holds, and the truth about it.

    Parameters
    ----------
    tables
        Metric to values, shape (levels of each parameter ..., seeds); NaN: that seed was not run.
        A metric of the config alone may leave the last axis out.
    seconds
        Name of the table that holds the seconds of a run.
    where
        Names the table in a message.

    Attributes
    ----------
    shape
        Levels of each parameter.
    rows
        Number of seeds.

    Raises
    ------
    DataError
        If the tables do not fit one another, or a config was run on no seed.
    """

    def __init__(self, tables: Mapping[str, NDArray[Any]], seconds: str, where: str) -> None:
        full = tables[seconds].shape
        self.shape, self.rows = full[:-1], full[-1]
        size = int(np.prod(self.shape))
        wrong = [
            f"{where}: {name} has shape {t.shape}, {seconds} has {full}"
            for name, t in tables.items()
            if t.shape not in (full, self.shape)
        ]
        if wrong:
            raise DataError(wrong)
        self._tables = {name: _flat(t, size, self.rows) for name, t in tables.items()}
        self._seconds = seconds
        run = ~np.isnan(self._tables[seconds])
        self._counts = run.sum(axis=1)
        if not self._counts.all():
            raise DataError(f"{where}: {int((self._counts == 0).sum())} configs were never run")
        self._order = np.argsort(~run, axis=1, kind="stable")  # the seeds that were run come first
        self._truth = {name: np.nanmean(t, axis=1) for name, t in self._tables.items()}
        self._strides = np.cumprod([1, *self.shape[:0:-1]])[::-1].astype(np.int64)
        self._steps = np.ones(1)

    def truth(self, metric: str) -> Array:
        """Return a metric of every config, its mean over seeds, shape (configs,)."""
        return np.asarray(self._truth[metric])

    def __call__(self, values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        """Look configs up; see `maquette.bench.task.Measure`."""
        del scale
        at = values.astype(np.int64) @ self._strides
        if rows is None:
            found = {name: t[at][:, None] for name, t in self._truth.items()}
        else:
            seed = self._order[at, rows % self._counts[at]]
            found = {name: t[at, seed][:, None] for name, t in self._tables.items()}
        seconds = found.pop(self._seconds)
        return Measured(self._steps, found, seconds, None, all_done(len(at)), seconds[:, 0])


def _flat(table: NDArray[Any], size: int, rows: int) -> Array:
    """Return a table as (configs, seeds) of doubles."""
    wide = table if table.size == size * rows else np.repeat(table[..., None], rows, axis=-1)
    return np.asarray(wide, dtype=np.float64).reshape(size, rows)
