"""What a searcher asks of a history at the cell of the scale that it proposes for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.climb import pool_of
from maquette.surrogate.observations import scale_row
from maquette.trial import State


def cell_row(history: History, at: Fidelity) -> NDArray[np.float64]:
    """Return the cell asked for as a row (1, axes); axes that it leaves out are at their base."""
    base = history.problem.scale.base if history.problem.scale else {}
    return scale_row(history.axes, {**base, **at.scale})


def in_cell(history: History, at: Fidelity) -> set[bytes]:
    """Return the keys (see `Pool.keys`) of all configs proposed in the cell."""
    cell = dict(zip(history.axes, cell_row(history, at)[0], strict=True))
    trials = history.in_cell(cell)
    return set(pool_of(trials).keys()) if trials else set()


def unsuccessful(finished: Finished) -> NDArray[np.bool_]:
    """Return which trials failed, gave no number, or broke a constraint on a metric, (n,)."""
    broken = (finished.violation > 0) | np.array([s.failed for s in finished.state], dtype=bool)
    return np.asarray(broken | ((finished.state == State.DONE) & ~finished.ok))


def one_metric(history: History, searcher: str) -> None:
    """Raise unless one metric is optimised.

    Raises
    ------
    StudyError
        If there are several.
    """
    metrics = history.objective.metrics
    if len(metrics) > 1:
        raise StudyError(
            f"searcher {searcher!r} optimises one metric, and there are {len(metrics)}: "
            + ", ".join(metrics),
            hint='searcher="gp", "tpe" and "genetic" search several metrics together',
        )
