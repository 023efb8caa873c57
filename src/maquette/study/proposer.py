"""Proposing in three steps, so that nothing is computed while a lock is held.

1. A short transaction takes the study's proposer lease and reads the last event number, the basis.
2. The scheduler and searcher compute from the events up to the basis, with no transaction open.
3. A short transaction checks the lease's token, numbers the proposals and writes them.

The generator depends on the study's seed and the jobs proposed up to the basis, so a proposal can
be recomputed from the events, and does not change when a run is interrupted and resumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from maquette.events import Event, Proposed
from maquette.fidelity import Fidelity
from maquette.history import History, Problem
from maquette.schedule.protocol import Done, Scheduler, Wait
from maquette.search.protocol import Searcher
from maquette.store.protocol import LeaseLostError, Store
from maquette.study.budget import Budget
from maquette.study.wishes import Wishes
from maquette.trial import Job, Suggestion

Proposal = Sequence[Event] | Wait | Done | None


@final
class Proposer:
    """Proposes jobs for one study.

    Parameters
    ----------
    history
        The study's history, where it is folded in the thread that proposes; None: the proposer
        folds the events for itself.
    turn
        Seconds for which the right to propose is good: longer than any proposal should take. A
        holder that dies is found out at once, see the store.
    """

    def __init__(
        self,
        store: Store,
        study: int,
        problem: Problem,
        methods: tuple[Searcher, Scheduler],
        history: History | None = None,
        turn: float = 300.0,
    ) -> None:
        self._store = store
        self._study = study
        self._turn = turn
        self._searcher, self._scheduler = methods
        self._history = History(problem) if history is None else history

    def propose(self, n: int, budget: Budget, owner: str) -> Proposal:
        """Propose up to `n` jobs; new trials only within the budget.

        Returns the events written, `Wait` or `Done`; None while another driver proposes.
        """
        lease = self._store.acquire_proposer(self._study, owner, self._turn)
        if lease is None:
            return None
        try:
            behind = lease.basis - self._history.last
            if behind > 0:
                self._history.extend(self._store.read(self._study, self._history.last, behind))
            room = budget.room(self._history)
            jobs = self._next(n, room)
            if isinstance(jobs, Wait | Done):
                self._store.release_proposer(self._study, lease)
                return jobs
            return self._store.propose(self._study, lease, [_draft(j, lease.basis) for j in jobs])
        except LeaseLostError:
            return None
        except BaseException:
            self._store.release_proposer(self._study, lease)
            raise

    def _next(self, n: int, room: float) -> list[Job] | Wait | Done:
        rng = self._history.rng()
        searcher = Wishes(self._history, self._searcher if room >= 1 else _NothingNew())
        # What users asked for by name runs, even if the budget of trials is spent.
        room = max(room, len(searcher))
        jobs = self._scheduler.next(self._history, searcher, n, rng)
        if isinstance(jobs, Wait | Done):
            return jobs
        kept: list[Job] = []
        for job in jobs:
            if job.trial is None:
                if room < 1:
                    continue
                room -= 1
                job = searcher.placed(job)  # noqa: PLW2901 - the same job, where it was asked for
            kept.append(job)
        if kept:
            return kept
        pending = bool(self._history.pending)
        if room >= 1:  # a grid, for example, that is complete
            reason = "the searcher has nothing left to suggest"
            return Wait(reason) if pending else Done(reason)
        return Wait("the budget of trials is proposed") if pending else Done("budget of trials")


@final
class _NothingNew:
    """Stands in for the searcher once no new trial may start: trials under way may go on."""

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Suggest nothing."""
        return []


def _draft(job: Job, basis: int) -> Proposed:
    new = job.trial is None
    return Proposed(
        trial=-1 if job.trial is None else job.trial,
        job=-1,
        config=job.suggestion.config if new else None,
        until=job.fidelity.until,
        scale=job.fidelity.scale,
        instance=job.fidelity.instance,
        first_step=job.first_step,
        start=job.start,
        final=job.final,
        origin=job.suggestion.origin,
        why=job.suggestion.why,
        basis=basis,
    )
