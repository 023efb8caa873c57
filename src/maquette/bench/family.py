"""A family of tasks: what can be said of it before any of its data are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from maquette.bench.task import Card, Task


@final
@dataclass(frozen=True, slots=True)
class Family:
    """Tasks that come from one source.

    Parameters
    ----------
    name, about
        The first half of its tasks' names, and one line.
    kind
        ``"table"``, ``"surrogate"``, ``"function"``, ``"curves"`` or ``"live"``.
    card
        Licence and source.
    tasks
        The second halves of the names.
    load
        Makes a task from the second half of its name, reading its data.
    needs
        Packages to install beside Maquette.
    """

    name: str
    about: str
    kind: str
    card: Card
    tasks: tuple[str, ...]
    load: Callable[[str], Task]
    needs: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The full names of its tasks."""
        return tuple(f"{self.name}/{task}" for task in self.tasks)
