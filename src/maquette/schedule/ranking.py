"""Who passed a rung, best first, kept up with a history at a cost per event, not per trial.

A ranking is a function of the history: it reads again the trials that later events concern, and
nothing else, so one that was kept up equals one that is made anew.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Hashable, Mapping
from typing import final

from maquette.history import History, TrialRecord
from maquette.instances import Instance
from maquette.schedule.stretch import loss_at
from maquette.trial import State

Entry = tuple[float, int]
"""Loss at the rung and number of the trial: ties go to the trial that was proposed first."""


def until(trial: TrialRecord) -> float:
    """Return how far the trial's jobs go along the duration key."""
    return max(next(iter(job.fidelity.until.values()), math.inf) for job in trial.jobs)


@final
class Ranking:
    """Trials of one cell that passed a rung on one instance.

    Attributes
    ----------
    losses
        Their losses there, ascending; infinite where the loss is no number.
    gone
        How many of them were taken past the rung.
    """

    def __init__(self, rung: float, scale: Mapping[str, float], instance: Instance | None) -> None:
        self._rung, self._scale, self._instance = rung, dict(scale), instance
        self._events = 0
        self._rows: dict[int, tuple[Entry, bool, bool]] = {}
        self._ranked: list[Entry] = []
        self._waiting: list[Entry] = []
        self.losses: list[float] = []
        self.gone = 0

    def keep_up(self, history: History) -> None:
        """Read again what has changed since the last time."""
        for number in history.memo.concerned(self._events):
            trial = history.trials[number]
            if trial.scale == self._scale:
                self._put(number, self._row(history, trial))
        self._events = history.last

    def _row(self, history: History, trial: TrialRecord) -> tuple[Entry, bool, bool] | None:
        """Return a trial's entry, whether it waits at the rung, and whether it went past."""
        loss = loss_at(history, trial, self._rung, self._instance)
        if loss is None:
            return None
        past = until(trial) > self._rung + 1e-9
        paused = trial.state is State.PAUSED and not trial.outside
        return (loss, trial.number), paused and not past and math.isfinite(loss), past

    def _put(self, number: int, row: tuple[Entry, bool, bool] | None) -> None:
        old = self._rows.get(number)
        if old == row:
            return
        if old is not None:
            entry, waited, past = self._rows.pop(number)
            del self._ranked[bisect_left(self._ranked, entry)]
            del self.losses[bisect_left(self.losses, entry[0])]
            if waited:
                del self._waiting[bisect_left(self._waiting, entry)]
            self.gone -= past
        if row is not None:
            entry, waits, past = self._rows[number] = row
            insort(self._ranked, entry)
            insort(self.losses, entry[0])
            if waits:
                insort(self._waiting, entry)
            self.gone += past

    def promotable(self, eta: float, most: int) -> list[int]:
        """Return the trials to promote, best first; at most `most`.

        A trial is promotable if it is paused at the rung and among the best ceil(n / eta) of the n
        that passed it; so many are promoted in all.
        """
        n = len(self._ranked)
        if n < eta:
            return []
        best = math.ceil(n / eta)
        chosen: list[int] = []
        for entry in self._waiting[: max(0, min(most, best - self.gone))]:
            if bisect_left(self._ranked, entry) >= best:
                break
            chosen.append(entry[1])
        return chosen


def ranking(
    history: History, rung: float, scale: Mapping[str, float], instance: Instance | None
) -> Ranking:
    """Return the ranking at a rung, as of now; the history keeps it for the next time."""
    key: Hashable = (Ranking, rung, tuple(scale.items()), instance)
    kept = history.memo.kept(key, lambda: Ranking(rung, scale, instance))
    kept.keep_up(history)
    return kept


@final
class Arrived:
    """Paused trials that reached the full duration, and wait for their next instance."""

    def __init__(self, full: float) -> None:
        self._full = full
        self._events = 0
        self._numbers: dict[int, None] = {}

    def keep_up(self, history: History) -> None:
        """Read again what has changed since the last time."""
        for number in history.memo.concerned(self._events):
            trial = history.trials[number]
            paused = trial.state is State.PAUSED and not trial.outside
            if paused and until(trial) >= self._full:
                self._numbers[number] = None
            else:
                self._numbers.pop(number, None)
        self._events = history.last

    def trials(self, history: History) -> list[TrialRecord]:
        """Return them in order of proposal."""
        return [history.trials[number] for number in sorted(self._numbers)]


def arrived(history: History, full: float) -> list[TrialRecord]:
    """Return the paused trials that reached the full duration, in order of proposal."""
    kept = history.memo.kept((Arrived, full), lambda: Arrived(full))
    kept.keep_up(history)
    return kept.trials(history)
