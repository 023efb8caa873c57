"""What a study has spent of a budget, by the store's clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from maquette.events import Event
from maquette.history import History
from maquette.study.budget import Budget


@final
class Meter:
    """Reads a budget of seconds on the clock that times the events.

    The store may be on another machine, whose clock is minutes off. Every event that this process
    writes comes back with the store's time, so the difference is known to a round trip, and a clock
    that jumps is found out at the next event.

    Parameters
    ----------
    budget
        Totals of the study.
    clock
        This machine's seconds.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float]) -> None:
        self._budget, self._clock = budget, clock
        self._ahead = 0.0

    @property
    def bounded(self) -> bool:
        """Whether seconds or cost are bounded, which are spent while jobs run."""
        return self._budget.seconds is not None or self._budget.cost is not None

    def hear(self, events: Sequence[Event]) -> None:
        """Take the store's time from events that were written just now."""
        if events:
            self._ahead = events[-1].time - self._clock()

    def spent(self, history: History) -> str:
        """Say which bound on seconds or cost is reached; empty while none is."""
        return self._budget.spent(history, self._clock() + self._ahead)
