"""The virtual clock: it stands still until something is due."""

from __future__ import annotations

import math
from typing import final

from maquette.errors import StudyError
from maquette.store.memory import MemoryStore


@final
class Clock:
    """Virtual time in seconds, from zero; called, it returns the time, as `time.time` does."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self._now

    def advance(self, to: float) -> None:
        """Move on to a time.

        Raises
        ------
        StudyError
            If it lies before the present, or is not a finite number.
        """
        if not (math.isfinite(to) and to >= self._now):
            raise StudyError(f"the virtual clock stands at {self._now:g} and cannot go to {to!r}")
        self._now = to


def virtual_store() -> MemoryStore:
    """Return a store in memory whose events carry virtual time; for a study to be simulated."""
    return MemoryStore(clock=Clock())
