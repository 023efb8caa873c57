"""How finished trials stand to each other: by results, broken constraints, and failures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.pareto import order

Array = NDArray[np.float64]


def ranks(finished: Finished) -> Array:
    """Return a number for each finished trial that grows as it gets worse, shape (n,).

    In [0, 1) for results, by rank within their cell, with several metrics by layer of the front;
    from 1 on for those that break a constraint; infinite for those that have no result.
    """
    n = len(finished)
    out = np.full(n, np.inf)
    ok = np.isfinite(finished.losses).all(axis=1)
    broken = ok & (finished.violation > 0)
    fine = np.flatnonzero(ok & ~broken)
    _, cell = np.unique(finished.scale[fine], axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    for c in range(int(cell.max(initial=-1)) + 1):
        mine = fine[cell == c]
        if finished.losses.shape[1] > 1:
            place = order(finished.losses[mine])
        else:
            place = np.unique(finished.loss[mine], return_inverse=True)[1].reshape(-1)
        out[mine] = place / (len(mine) + 1.0)
    worst = finished.violation[broken]
    out[broken] = 1.0 + worst / (1.0 + worst)
    return out
