"""A study's parts, from what the user gave: a name or an object, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from maquette.errors import StoreError, StudyError
from maquette.fidelity import Duration
from maquette.instances import Instances
from maquette.number import is_count
from maquette.objective import Objective
from maquette.problem import Problem
from maquette.scale import Scale
from maquette.schedule.protocol import Scheduler
from maquette.search.protocol import Searcher
from maquette.space import Space
from maquette.store.protocol import Store, StudyRow


def check_given(name: object, fn: object, store: object) -> None:
    """Raise StudyError or StoreError for what is no name, no function, or no store."""
    if not isinstance(name, str) or not name.strip():
        raise StudyError(f"a study needs a name, not {name!r}")
    if fn is not None and not callable(fn):
        raise StudyError(f"fn must be a function of a trial, not {fn!r}")
    if not isinstance(store, str | os.PathLike | Store | None):
        raise StoreError(f"a store is a URL, a file or None, not {store!r}")


def asked(
    space: Space | Mapping[str, Any],
    objective: str | Objective,
    fidelity: Mapping[str, Any] | None,
    scale: Scale | None,
    instances: Instances | None,
    seed: int,
) -> Problem:
    """Return the problem of a study, from what `Study` takes."""
    return Problem(
        space if isinstance(space, Space) else Space(space),
        Objective.parse(objective),
        Duration.parse(fidelity),
        scale,
        instances,
        checked_seed(seed),
    )


def opened(store: str | os.PathLike[str] | Store | None, *, read_only: bool = False) -> Store:
    """Return the store of a URL or file, None: in memory; a store is returned as is."""
    from maquette.store import open_store

    if store is None or isinstance(store, str | os.PathLike):
        return open_store(store, read_only=read_only)
    return store


def found(
    name: str, store: str | os.PathLike[str] | Store | None, *, read_only: bool
) -> tuple[Store, StudyRow]:
    """Return the store that holds a study, and the study's row.

    StoreError if there is none; a store that is missing is not made.
    """
    looked = opened(store, read_only=True)
    row = looked.find(name)
    return (looked if read_only else opened(store)), row


def identity(row: StudyRow) -> str:
    """Return what tells a study from all others, also from one of its name that was deleted."""
    words = f"{row.id} {row.created!r} {row.name}"
    return sha256(words.encode("utf-8", "replace")).hexdigest()[:16]


def methods(searcher: str | Searcher, scheduler: str | Scheduler) -> tuple[Searcher, Scheduler]:
    """Return the searcher and scheduler of these names; objects are returned as they are.

    ``"auto"`` is the searcher that goes with the scheduler.

    Raises
    ------
    StudyError
        If a name is unknown, or an object lacks a method; both are named.
    """
    from maquette.schedule import Proxies
    from maquette.schedule import by_name as scheduler_by_name
    from maquette.search import by_name as searcher_by_name

    if searcher == "auto" and (scheduler == "proxies" or isinstance(scheduler, Proxies)):
        searcher = "designed"  # the pair that designs runs: this one chooses the settings
    search, schedule = searcher_by_name(searcher), scheduler_by_name(scheduler)
    problems = []
    if not _has(search, "suggest"):
        problems.append(f"searcher {search!r} has no method suggest")
    if not _has(schedule, "next", "decide"):
        problems.append(f"scheduler {schedule!r} has no methods next and decide")
    if problems:
        raise StudyError(problems)
    classes = [m.__name__ for m in (search, schedule) if isinstance(m, type)]
    if classes:
        raise StudyError(
            [f"{name} is a class, where an object is wanted" for name in classes],
            hint=f"write {classes[0]}()",
        )
    return search, schedule


def described(method: str | object) -> str:
    """Return the name under which a store keeps a searcher or scheduler."""
    return method if isinstance(method, str) else type(method).__name__


def checked_seed(seed: int) -> int:
    """Return a seed as given; StudyError unless it is a whole number, zero or more."""
    if not is_count(seed, 0):
        raise StudyError(f"seed must be a whole number, zero or more, not {seed!r}")
    return seed


def _has(thing: object, *names: str) -> bool:
    return all(callable(getattr(thing, name, None)) for name in names)
