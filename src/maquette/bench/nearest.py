"""Tables of configs that lie anywhere: a config is measured as the nearest one that was run."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from maquette.bench.task import Array


@final
class Nearest:
    """The configs of a table, in coordinates of like weight.

    Parameters
    ----------
    points
        Shape (k, d).
    log
        Which columns are compared by their logarithm, shape (d,).
    widths
        Length of one unit of distance in each column, after the logarithm, shape (d,).
    """

    def __init__(self, points: Array, log: NDArray[np.bool_], widths: Array) -> None:
        self._log, self._widths = log, widths
        self._tree = cKDTree(self._coordinates(points))

    def __call__(self, values: Array) -> NDArray[np.intp]:
        """Return the place in the table of the config nearest to each row, shape (n,)."""
        return np.asarray(self._tree.query(self._coordinates(values))[1], dtype=np.intp)

    def _coordinates(self, values: Array) -> Array:
        logs = np.log(np.where(self._log, values, 1.0))
        return np.asarray(np.where(self._log, logs, values) / self._widths)
