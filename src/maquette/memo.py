"""What algorithms keep of a history from turn to turn, so that they need not read it all again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, final

T = TypeVar("T")


@final
class Memo:
    """Which trials events concern, and what was made of them."""

    def __init__(self) -> None:
        self._trials: list[int | None] = []
        self._kept: dict[Hashable, Any] = {}

    def note(self, trial: int | None) -> None:
        """The next event concerns a trial, or none."""
        self._trials.append(trial)

    def concerned(self, after: int) -> list[int]:
        """Return the trials that events numbered above `after` concern, each once, ascending."""
        return sorted({trial for trial in self._trials[after:] if trial is not None})

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under a key; `make` it the first time.

        It must be a function of the history and the key, so that one made anew is no different.
        """
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    def forget(self) -> None:
        """Keep nothing: every record has changed."""
        self._kept.clear()
