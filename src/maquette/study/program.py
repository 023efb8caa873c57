"""Whether a study that goes on runs what it ran before, and the record of what it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from maquette.errors import StudyError
from maquette.events import ProgramChanged
from maquette.history import History
from maquette.study.placement import accepting

if TYPE_CHECKING:
    from maquette.study.study import Study


@runtime_checkable
class Describable(Protocol):
    """A function that can say what it runs: a program, that is, rather than Python code."""

    def program_description(self) -> Mapping[str, Any]:
        """Return what decides its results, as JSON, by the key paths of the file that says it."""


def refuse_other_program(name: str, history: History, fn: object) -> None:
    """Refuse a program whose results could not be compared with those that the study holds.

    Raises
    ------
    StudyError
        Naming every part of the program that differs, with both values, unless it is accepted.
    """
    stored = history.orders.program
    if stored is None or not isinstance(fn, Describable) or accepting():
        return
    problems = _changes(stored.program, fn.program_description())
    if problems:
        raise StudyError(
            [f"study {name!r}: {problem}" for problem in problems],
            hint="its trials might not be comparable any more; if that is meant, say "
            "maquette run --accept-changes, else give the study another name",
        )


def record_program(study: Study, timeout: float | None) -> tuple[str, ...]:
    """Write down the program that a study runs, if that is new; return what changed, in words.

    Parameters
    ----------
    timeout
        Seconds that one trial may take; None: no limit.
    """
    fn: object = study.fn
    if not isinstance(fn, Describable):
        return ()
    stored = study.history.orders.program
    given = ProgramChanged(dict(fn.program_description()), timeout)
    if stored == given:
        return ()
    study.store.append(study.store.find(study.name).id, [given])
    if stored is None:
        return ()
    changes = _changes(stored.program, given.program)
    if stored.timeout != timeout:
        changes.append(f"trial.timeout: was {_span(stored.timeout)}, is {_span(timeout)}")
    return tuple(changes)


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one line for each part that differs, with both values."""
    before, after = dict(_flat(old)), dict(_flat(new))
    return [
        f"{part} differs: stored {before.get(part)!r}, given {after.get(part)!r}"
        for part in {**before, **after}
        if before.get(part) != after.get(part)
    ]


def _flat(table: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{where}{name}.")
        else:
            yield f"{where}{name}", value


def _span(seconds: float | None) -> str:
    return "without limit" if seconds is None else f"{seconds:g} s"
