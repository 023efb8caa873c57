"""Algorithms that are state machines, as functions of the history.

An evolution strategy is naturally a state, a step for each trial that ends, and a proposal.
`folded` leads the finished trials, in the order of their end events, through a machine's steps.
What it has folded stays with the history, so that a turn costs the new trials alone; a fresh
instance folds them all and stands in the same state, so that *cold equals warm*.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.history import History, Problem, TrialRecord
from maquette.trial import State

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
S = TypeVar("S")
Standing = tuple[float, ...]


@final
@dataclass(frozen=True, slots=True)
class Told:
    """What a machine is told of a trial that has ended.

    Attributes
    ----------
    trial
        Its number.
    x, active
        Its config in the unit cube and the activity mask, shape (d,).
    standing
        Sorts trials, best first: (0, loss) for a result, (1, violation) where a constraint on a
        metric is broken, (2, -step, loss) for one that was stopped early, after its last report:
        who came farther was better; (3, 0) without anything. With a scale the loss of a result is
        replaced by the trial's place among those of its cell so far, in [0, 1].
    cost
        What it cost, in the study's unit.
    """

    trial: int
    x: Array
    active: Mask
    standing: Standing
    cost: float = 0.0


@runtime_checkable
class Machine(Protocol[S]):
    """A state, and what a trial's end makes of it; states are values and never change."""

    def init(self, problem: Problem) -> S:
        """Return the state before the first trial."""

    def step(self, state: S, told: Told) -> S:
        """Return the state after one more trial has ended."""


def folded(machine: Machine[S], history: History) -> S:
    """Return the state after all finished trials; the machine must be hashable."""
    folding: _Folding[S] = history.memo.kept(
        (_Folding, type(machine), machine), lambda: _Folding(machine, history.problem)
    )
    return folding.upto(history)


def places(standings: Sequence[Standing]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order of standings (n,), best first, and for each place the first one tied."""
    order = np.array(sorted(range(len(standings)), key=lambda i: standings[i]), dtype=np.intp)
    tied = np.arange(len(order))
    for k in range(1, len(order)):
        if standings[order[k]] == standings[order[k - 1]]:
            tied[k] = tied[k - 1]
    return order, tied


def so_far(trial: TrialRecord) -> Standing:
    """Return how a trial stands that has not come to its end, by its last report."""
    if not trial.losses or not np.isfinite(trial.losses[-1]):
        return (3, 0.0)
    return (2, -float(trial.steps[-1]), float(trial.losses[-1]))


@final
class _Folding(Generic[S]):
    """How far a machine has come, and in what state it is."""

    def __init__(self, machine: Machine[S], problem: Problem) -> None:
        self._machine = machine
        self._state = machine.init(problem)
        self._known = 0
        self._losses: dict[tuple[float, ...], list[float]] = {}

    def upto(self, history: History) -> S:
        finished = history.finished
        violation = finished.violation
        for i in range(self._known, len(finished)):
            x, active = finished.X[i].copy(), finished.active[i].copy()
            standing = self._standing(finished, i, float(violation[i]))
            if finished.state[i] == State.STOPPED:
                standing = so_far(history.trials[int(finished.trial[i])])
            told = Told(int(finished.trial[i]), x, active, standing, float(finished.cost[i]))
            self._state = self._machine.step(self._state, told)
        self._known = len(finished)
        return self._state

    def _standing(self, finished: Finished, i: int, violation: float) -> Standing:
        loss = float(finished.losses[i, 0])
        if not np.isfinite(loss):
            return (3, 0.0)
        if violation > 0:
            return (1, violation)
        if not finished.scale.shape[1]:
            return (0, loss)
        cell = self._losses.setdefault(tuple(finished.scale[i].tolist()), [])
        insort(cell, loss)
        return (0, 0.5 * (bisect_left(cell, loss) + bisect_right(cell, loss)) / len(cell))
