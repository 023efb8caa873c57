"""A study as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maquette.errors import StudyError
from maquette.history import History

if TYPE_CHECKING:
    import pandas as pd


def rows(history: History) -> list[dict[str, Any]]:
    """Return one mapping a trial: number, state, settings, scale, metrics, cost, seconds."""
    return [
        {
            "trial": t.number,
            "state": t.state.value,
            **t.config,
            **t.scale,
            **t.metrics,
            "cost": t.cost,
            "seconds": t.seconds,
            "origin": t.origin,
            "message": t.message,
        }
        for t in history.trials
    ]


def to_pandas(history: History) -> pd.DataFrame:
    """Return `rows` as a data frame.

    Raises
    ------
    StudyError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise StudyError("pandas is not installed", hint="pip install 'maquette[pandas]'") from None
    return pd.DataFrame(rows(history))
