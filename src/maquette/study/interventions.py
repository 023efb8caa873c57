"""Interventions of users, from any process: stop, try this next, try that again; as events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from maquette.errors import SpaceError, StudyError, nearest
from maquette.events import Body, Ended, Enqueued, Proposed, StopAsked
from maquette.history import History, TrialRecord
from maquette.orders import STOPPED
from maquette.trial import State

REQUEUED = (State.CRASHED, State.OOM, State.TIMEOUT)
"""The states that are worth another try as they are: the machine failed, not the config."""

_ENDS = tuple(state.value for state in State if not state.pending)


def stop(history: History, trials: int | Sequence[int] | None, *, now: bool) -> list[Body]:
    """Return the events that ask for a stop: of the whole study, or of some trials.

    A trial that no driver runs ends with these events: one that waits, is paused, or was asked
    for and is to be stopped at once.

    Raises
    ------
    StudyError
        Naming every trial that there is not, or that has ended.
    """
    if trials is None:
        return [StopAsked((), now, STOPPED)]
    records = _records(history, trials)
    ended = [f"trial {t.number} has ended ({t.state})" for t in records if not t.state.pending]
    if ended:
        raise StudyError(ended)
    if not records:
        return []
    bodies: list[Body] = [StopAsked(tuple(t.number for t in records), now, STOPPED)]
    for trial in records:
        asked = trial.job.owner.endswith("/ask")
        if trial.state is State.QUEUED or (now and asked and trial.state is State.RUNNING):
            bodies.append(_end(trial, trial.job.number))
        elif trial.state is State.PAUSED:
            last = trial.job
            until, scale = dict(last.fidelity.until), dict(trial.scale)
            instance = last.fidelity.instance
            bodies.append(Proposed(trial.number, -1, None, until, scale, instance))
            bodies.append(_end(trial, -1))
    return bodies


def _end(trial: TrialRecord, job: int) -> Ended:
    """Return the end of a trial by its user; what it has cost so far stays."""
    seconds = trial.job.seconds if job >= 0 else 0.0
    return Ended(trial.number, job, State.STOPPED, seconds=seconds, message=STOPPED)


def requeue(
    history: History, trials: int | Sequence[int] | None, states: str | Iterable[str] | None
) -> list[Enqueued]:
    """Return the events that have the configs of ended trials tried again, as new trials.

    Raises
    ------
    StudyError
        Naming every trial that there is not or that has not ended, and every unknown state.
    """
    if trials is not None and states is not None:
        raise StudyError("requeue trials by their numbers or by their states, not by both")
    if trials is not None:
        records = _records(history, trials)
        waiting = [t for t in records if t.state.pending]
        if waiting:
            raise StudyError([f"trial {t.number} has not ended ({t.state})" for t in waiting])
    else:
        wanted = _states(REQUEUED if states is None else states)
        again = {t.why["repeats"] for t in history.trials if "repeats" in t.why}
        again |= {body.of for body in history.orders.queue.values() if body.of is not None}
        records = [t for t in history.trials if t.state in wanted and t.number not in again]
    return [
        Enqueued(dict(t.config), dict(t.scale), origin="requeued", of=t.number) for t in records
    ]


def add(history: History, config: Mapping[str, Any], scale: Mapping[str, float] | None) -> Enqueued:
    """Return the event that has a config tried next; values left out take their defaults.

    Raises
    ------
    SpaceError, ScaleError, StudyError
        If the config or the cell is none of the study's.
    """
    if not isinstance(config, Mapping):
        raise SpaceError(f"a config is a mapping of names to values, not {config!r}")
    full = history.space.fill(config)
    idle = [name for name in config if name not in full]
    if idle:
        raise SpaceError([f"{name!r} has no effect with the other values" for name in idle])
    if scale and history.problem.scale is None:
        raise StudyError("the study declares no scale, so a config cannot have one")
    cell = history.problem.scale.fill(scale) if scale and history.problem.scale else {}
    return Enqueued(dict(full), cell)


def _records(history: History, trials: int | Sequence[int]) -> list[TrialRecord]:
    given: object = trials
    if isinstance(given, str):  # no list of its letters
        raise StudyError(f"a trial is named by its number, not by {given!r}")
    numbers = [trials] if isinstance(trials, int) else list(dict.fromkeys(trials))
    bad = [n for n in numbers if isinstance(n, bool) or not isinstance(n, int)]
    if bad:
        raise StudyError([f"a trial is named by its number, not by {n!r}" for n in bad])
    last = len(history.trials)
    missing = [n for n in numbers if not 0 <= n < last]
    if missing:
        have = f"0 to {last - 1}" if last else "none yet"
        raise StudyError([f"there is no trial {n}; the study has {have}" for n in missing])
    return [history.trials[n] for n in numbers]


def _states(given: str | Iterable[str]) -> set[State]:
    words = [given] if isinstance(given, str) else list(given)
    unknown = [w for w in words if str(w) not in _ENDS]
    if unknown:
        raise StudyError(
            [f"no ended trial is {str(w)!r}." + nearest(str(w), _ENDS) for w in unknown]
        )
    return {State(w) for w in words}
