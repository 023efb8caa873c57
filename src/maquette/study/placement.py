"""Where a study that a file declares is kept, when somebody else than the file decides.

The command line loads a user's file and may replace its store and seed; the process that serves
forks executes the same file only to get at the function, and must not open the store at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, final

from maquette.checkpoint import Checkpoints
from maquette.store.memory import MemoryStore
from maquette.store.protocol import Store

Place = str | os.PathLike[str] | Store | None


@final
@dataclass(frozen=True, slots=True)
class Placement:
    """What replaces the words of a file.

    Parameters
    ----------
    store
        Takes the place of every study's store; None: the file's own.
    default
        For studies that name no store, where MAQUETTE_STORE names none either.
    seed
        Takes the place of every study's seed; None: the file's own.
    narrow
        Whether a narrower space than the stored one is meant.
    accept
        Whether another program than the one that the study ran so far is meant.
    checkpoints
        Takes the place of where every study keeps its checkpoints; None: the file's own.
    warm_start
        Takes the place of what every study learns from; empty: the file's own.
    dry
        Give every study a copy in memory, and leave the store as it is, or unmade.
    """

    store: str | Store | None = None
    default: str | None = None
    seed: int | None = None
    narrow: bool = False
    accept: bool = False
    checkpoints: str | None = None
    warm_start: tuple[str, ...] = ()
    dry: bool = False

    def apply(self, store: Place, seed: int) -> tuple[Place, int]:
        """Return the store and the seed to use."""
        if store is None:
            store = os.environ.get("MAQUETTE_STORE") or self.default
        return self.store or store, seed if self.seed is None else self.seed


_placement: ContextVar[Placement | None] = ContextVar("placement", default=None)


@contextmanager
def placed(placement: Placement) -> Iterator[None]:
    """Apply a placement to the studies that are made inside the block."""
    token = _placement.set(placement)
    try:
        yield
    finally:
        _placement.reset(token)


def narrowing(narrow: bool) -> bool:
    """Whether a narrower space is meant, by the file or by whoever placed its study."""
    placement = _placement.get()
    return narrow or (placement is not None and placement.narrow)


def accepting() -> bool:
    """Whether whoever placed the study means another program than the stored one."""
    placement = _placement.get()
    return placement is not None and placement.accept


def shelved(checkpoints: Checkpoints | str | os.PathLike[str] | None) -> Checkpoints:
    """Return where a study that asks for this place keeps its checkpoints."""
    placement = _placement.get()
    replaced = None if placement is None else placement.checkpoints
    return Checkpoints.parse(replaced or checkpoints)


def warming(given: Any) -> Any:
    """Return what a study that was given this as `warm_start` learns from."""
    placement = _placement.get()
    return list(placement.warm_start) if placement and placement.warm_start else given


def place(store: Place, seed: int, name: str = "", others: Sequence[str] = ()) -> tuple[Place, int]:
    """Return the store and the seed for a study of that name that asks for these.

    `others`: studies of the store that it looks at.
    """
    from maquette.executor.function import is_preparing

    if is_preparing():
        return MemoryStore(), seed
    placement = _placement.get() or Placement()
    store, seed = placement.apply(store, seed)
    return _copy(store, [name, *others]) if placement.dry else store, seed


def _copy(store: Place, names: Sequence[str]) -> MemoryStore:
    """Return a store in memory with what a store holds of some studies; nothing is made."""
    from maquette.store import exists, open_store

    copy = MemoryStore()
    real: Store | None
    if store is None or isinstance(store, str | os.PathLike):
        there = store is not None and exists(store)
        real = open_store(store, read_only=True) if there else None
    else:
        real = store
    for row in real.studies() if real is not None else ():
        if real is not None and row.name in names:
            copy.take_over(row.name, row.spec, real.read(row.id))
    return copy
