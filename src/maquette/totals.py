"""What a study adds up to: trials by state, cost, seconds, and the wall clock while it ran."""

from __future__ import annotations

from typing import final

from maquette.busy import BusyTime
from maquette.fold import Spent
from maquette.trial import State


@final
class Totals:
    """Sums over all trials and jobs; written by `History` alone.

    Attributes
    ----------
    cost, seconds
        What all jobs have cost, and how long they ran, summed.
    busy
        The wall clock during which at least one of them ran.
    """

    def __init__(self) -> None:
        self.cost = 0.0
        self.seconds = 0.0
        self.busy = BusyTime()
        self._states: dict[State, int] = {}

    def spend(self, spent: Spent) -> None:
        """Add what a job has cost more, and how much longer it ran."""
        self.cost += spent[0]
        self.seconds += spent[1]

    def move(self, before: State | None, after: State) -> None:
        """A trial changes its state; None: it is new."""
        states = self._states
        states[after] = states.get(after, 0) + 1
        if before is not None:
            states[before] -= 1

    def counts(self) -> dict[str, int]:
        """Return the number of trials in each state that occurs."""
        return {state.value: self._states[state] for state in State if self._states.get(state)}
