"""What a study was created with, as JSON; and what changed when it is opened again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maquette.errors import SpaceError, StoreVersionError, StudyError
from maquette.events import Body, Ended, SpaceChanged
from maquette.fidelity import Duration
from maquette.history import History, Problem
from maquette.instances import Instances
from maquette.objective import Objective
from maquette.past import Past
from maquette.scale import Scale
from maquette.space import Space
from maquette.trial import State

FORMAT = 1


def to_spec(problem: Problem, searcher: str, scheduler: str) -> dict[str, Any]:
    """Return what a store keeps of a study."""
    return {
        "format": FORMAT,
        "space": problem.space.to_json(),
        "objective": problem.objective.to_json(),
        "fidelity": problem.duration.to_json(),
        "scale": problem.scale.to_json() if problem.scale else None,
        "instances": problem.instances.to_json() if problem.instances else None,
        "seed": problem.seed,
        "searcher": searcher,
        "scheduler": scheduler,
        "past": [past.to_json() for past in problem.past],
    }


def from_spec(spec: Mapping[str, Any]) -> Problem:
    """Read what `to_spec` wrote.

    Raises
    ------
    StoreVersionError
        If a newer Maquette wrote it.
    """
    if spec.get("format") != FORMAT:
        raise StoreVersionError(
            f"the study has format {spec.get('format')!r}; this Maquette reads format {FORMAT}",
            hint="upgrade Maquette",
        )
    scale, instances = spec["scale"], spec["instances"]
    return Problem(
        Space.from_json(spec["space"]),
        Objective.from_json(spec["objective"]),
        Duration.parse(spec["fidelity"]),
        Scale.from_json(scale) if scale else None,
        Instances.from_json(instances) if instances else None,
        spec["seed"],
        past=tuple(Past.from_json(past) for past in spec.get("past", ())),
    )


def refuse_changes(name: str, stored: Problem, given: Problem) -> None:
    """Refuse to resume a study under another question; the space is compared elsewhere.

    Raises
    ------
    StudyError
        Naming every part that differs, with both values.
    """
    problems = []
    for part in ("objective", "duration", "scale", "instances", "seed"):
        old, new = getattr(stored, part), getattr(given, part)
        if _plain(old) != _plain(new):
            word = "fidelity" if part == "duration" else part
            problems.append(f"{word} differs: stored {_show(old)}, given {_show(new)}")
    if problems:
        raise StudyError(
            [f"study {name!r}: {p}" for p in problems],
            hint="give the study another name, or the settings that it was created with",
        )


def growth(name: str, history: History, given: Space, *, narrow: bool = False) -> list[Body]:
    """Return the events that change the space in force to the one given, if they differ.

    With `narrow` it need not hold all of the old one: trials outside stay evidence, and those of
    them that wait in the queue end as interrupted.

    Raises
    ------
    StudyError
        If the space is narrower and that is not asked for, or no space holds the old trials and
        the new ones; the differences are named.
    """
    stored = history.space
    if given == stored:
        return []
    where = f"study {name!r}"
    try:
        history.domain.hull(given)
    except SpaceError as error:
        raise StudyError(
            [f"{where}: {problem}" for problem in error.problems],
            hint="mend what is named, or give the study another name",
        ) from None
    if not narrow and not given.widens(stored):
        raise StudyError(
            [
                f"{where}: the space is narrower than the stored one: {c}"
                for c in stored.diff(given)
            ],
            hint="if that is meant, say narrow=True (maquette run --narrow): old trials stay as "
            "evidence; else give a space that holds the old one, or another name",
        )
    waiting = [job for job in history.queued if not given.admits(history.trials[job.trial].config)]
    why = "it lies outside the space, which was narrowed before it started"
    ended = [Ended(job.trial, job.number, State.INTERRUPTED, message=why) for job in waiting]
    return [SpaceChanged(given.to_json()), *ended]


def _plain(value: Any) -> Any:
    return value.to_json() if hasattr(value, "to_json") else value


def _show(value: Any) -> str:
    text = str(_plain(value))
    return text if len(text) <= 160 else text[:157] + "..."
