"""History: a study's events and the columns folded from them; the only thing algorithms read.

Appending the n-th event costs O(1) amortised. Finished trials stand in the order of their end
event, so a model fitted on the first m of them is the same whoever fits it, and whenever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import numpy as np

from maquette import fold
from maquette.columns import Columns, Finished
from maquette.errors import StudyError
from maquette.events import (
    Body,
    BudgetChanged,
    Ended,
    Enqueued,
    Event,
    Form,
    ProgramChanged,
    Proposed,
    Reported,
    Requeued,
    Row,
    SpaceChanged,
    Started,
    StopAsked,
    rows_of,
)
from maquette.memo import Memo
from maquette.objective import Objective
from maquette.orders import ENQUEUED, Orders
from maquette.problem import Problem
from maquette.records import Coded, Coder, JobRecord, SpaceVersion, TrialRecord
from maquette.rng import generator
from maquette.sealed import Lazy, Sealed, encoded
from maquette.space import Space
from maquette.totals import Totals
from maquette.trial import Config, State
from maquette.unfinished import Unfinished

__all__ = ["History", "JobRecord", "Problem", "SpaceVersion", "TrialRecord"]


@final
class History:
    """A sequence of numbered events and the columns folded from it.

    Parameters
    ----------
    problem
        What the study asks; its space is replaced when a `SpaceChanged` event is folded.
    events
        Events to begin with, numbered from 1.

    Attributes
    ----------
    trials
        One record a trial, in order of proposal; index is the trial's number.
    jobs
        One record a job, in order of proposal.
    versions
        The versions of the space, oldest first; the last one is in force.
    memo
        What algorithms keep from turn to turn; a function of the history.
    orders
        What users asked of the study while it runs: to stop, and configs to try next.
    """

    def __init__(self, problem: Problem, events: Iterable[Event] = ()) -> None:
        self.problem = problem
        self.trials: Lazy[TrialRecord] = Lazy(self._open_trial)
        self.jobs: Lazy[JobRecord] = Lazy(self._open_job)
        self.budget = BudgetChanged()
        self.versions = [SpaceVersion(1, 0, None, problem.space)]
        self.orders = Orders()
        self.memo = Memo()
        self.last = 0
        self._totals = Totals()
        self._unfinished = Unfinished()
        self._cells: dict[tuple[float, ...], list[int]] = {}
        self._coder = Coder(self._encode)
        self._columns = Columns(
            problem.space.dimensions, len(self.axes), self.objective, self._encode_trials
        )
        self._no_losses = [float("nan")] * len(self.objective.metrics)
        self._words: dict[str, str] = {}
        self.extend(events)

    @property
    def space(self) -> Space:
        """The space in force."""
        return self.problem.space

    @property
    def domain(self) -> Space:
        """The space in which trials are encoded: the hull of all versions.

        It is the space in force unless that has been narrowed.
        """
        return self.problem.evidence

    @property
    def objective(self) -> Objective:
        """The objective."""
        return self.problem.objective

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the scale axes; empty where no scale is declared."""
        return self.problem.scale.names if self.problem.scale else ()

    @property
    def cost(self) -> float:
        """What all jobs have cost so far, in the study's unit (seconds unless declared)."""
        return self._totals.cost

    @property
    def seconds(self) -> float:
        """Seconds that jobs have run so far, summed."""
        return self._totals.seconds

    def elapsed(self, now: float | None = None) -> float:
        """Return the seconds of wall clock during which at least one job was running.

        Unlike `seconds` it counts parallel jobs once, and pauses between runs not at all; a job
        that was lost counts up to its last sign of life. With `now`, by the store's clock, the
        time since the last event counts too if a job is running.
        """
        return self._totals.busy.total(now)

    @property
    def running(self) -> list[JobRecord]:
        """Jobs that have been started and have not ended, in order of proposal."""
        return self.jobs.several(sorted(self._unfinished.running))

    @property
    def finished(self) -> Finished:
        """Columns over finished trials, in the order of their end events (read-only views)."""
        return self._columns.view()

    @property
    def pending(self) -> list[TrialRecord]:
        """Trials that have not ended, in order of proposal."""
        return self.trials.several(self._unfinished.pending)

    @property
    def queued(self) -> list[JobRecord]:
        """Jobs that wait to be started, in order of proposal."""
        return self.jobs.several(self._unfinished.queued)

    def rng(self) -> np.random.Generator:
        """Return the generator for what is proposed next, from the seed and the jobs so far.

        Counting jobs rather than events keeps proposals the same when a run is interrupted, its
        budget changed or a job started again: those are events, and change nothing that matters.
        """
        return generator(self.problem.seed, len(self.jobs))

    def counts(self) -> dict[str, int]:
        """Return the number of trials in each state that occurs."""
        return self._totals.counts()

    def tally(self) -> str:
        """Return the counts in words: ``3 done, 1 diverged``; ``none`` while there is no trial."""
        return ", ".join(f"{n} {state}" for state, n in self.counts().items()) or "none"

    def in_cell(self, scale: Mapping[str, float]) -> list[TrialRecord]:
        """Return the trials at one cell, in order of proposal."""
        return self.trials.several(self._cells.get(self._cell(scale), ()))

    def _cell(self, scale: Mapping[str, float]) -> tuple[float, ...]:
        return tuple(float(scale[name]) for name in self.axes if name in scale)

    def _place(self, scale: Mapping[str, float]) -> list[float]:
        return [float(scale.get(name, np.nan)) for name in self.axes]

    def extend(self, events: Iterable[Event]) -> None:
        """Fold further events.

        Raises
        ------
        StudyError
            If the numbers do not go on from the last one folded.
        """
        rows, form = rows_of(events)
        ends = iter(() if form is None else form.ends(rows))
        hear, note, fold_one = self._totals.busy.hear, self.memo.note, self._fold
        for row in rows:
            number, time, _, trial, _, _ = row
            if number != self.last + 1:
                raise StudyError(
                    f"event {number} follows event {self.last}: the sequence has a gap"
                )
            hear(time)
            fold_one(row, form, ends)
            note(trial)
            self.last = number

    def _fold(self, row: Row, form: Form | None, ends: Iterator[Ended]) -> None:
        """Fold an event; a trial stays sealed that nobody looks at and that goes the common way."""
        number, time, kind, trial, job, content = row
        if kind == "proposed" and trial == len(self.trials):
            self._propose(Sealed(trial, job, form, content))
            return
        sealed = None if trial is None else self.trials.sealed(trial)
        if sealed is not None and sealed.ended is not None:
            sealed = None
        if sealed is not None and form is not None:
            sealed.form = form
        if kind == "started" and sealed is not None and sealed.started is None:
            self._start_sealed(sealed, number, time, content)
            return
        if kind == "ended":
            body = content if form is None else next(ends)
            if sealed is not None and not body.state.pending and body.alive is None:
                self._end_sealed(sealed, row, body)
                return
        else:
            body = content if form is None else form.body(kind, trial, job, content)
        self._fold_body(body, number, time)

    # --- trials that nobody has looked at ----------------------------------------------------

    def _propose(self, sealed: Sealed) -> None:
        """A new trial was proposed."""
        cell: tuple[float, ...] = ()
        if self.axes or sealed.mentions(ENQUEUED):
            proposal = sealed.proposal
            self.orders.proposed(proposal)
            cell = self._cell(proposal.scale)
        self.trials.append(sealed)
        self.jobs.append(sealed)
        self._cells.setdefault(cell, []).append(sealed.trial)
        self._unfinished.propose(sealed.trial, sealed.job)
        self._totals.move(None, State.QUEUED)

    def _start_sealed(self, sealed: Sealed, number: int, time: float, content: Any) -> None:
        if isinstance(content, str):
            # Most jobs of one owner start with the same words.
            content = self._words.setdefault(content, content)
        sealed.started, sealed.began = content, time
        self.orders.started = number
        self._unfinished.start(sealed.job)
        self._totals.move(State.QUEUED, State.RUNNING)
        self._totals.busy.start(sealed.job, time)

    def _end_sealed(self, sealed: Sealed, row: Row, body: Ended) -> None:
        sealed.number, sealed.finished, sealed.ended = row[0], row[1], row[5]
        self._unfinished.end(sealed.job, sealed.trial)
        self._totals.busy.end(sealed.job, sealed.finished, body.seconds)
        before = State.QUEUED if sealed.started is None else State.RUNNING
        self._totals.move(before, body.state)
        spent = fold.spent(body, self.objective)
        self._totals.spend(spent)
        done = body.state is State.DONE
        losses = self.objective.losses(body.metrics) if done else self._no_losses
        excess = self.objective.excess(body.metrics)
        cell = self._place(sealed.proposal.scale) if self.axes else ()
        self._columns.append((losses, cell, excess, sealed.trial, spent[0], body.state))

    def _open_trial(self, sealed: Sealed) -> TrialRecord:
        trial = sealed.open(self.objective)
        self._coder.add(trial)
        return trial

    def _open_job(self, sealed: Sealed) -> JobRecord:
        return self.trials[sealed.trial].jobs[0]

    def _encode_trials(self, numbers: Sequence[int]) -> Coded:
        kept = [self.trials.as_kept(number) for number in numbers]
        return encoded(kept, self._encode)

    def _encode(self, configs: Sequence[Config]) -> Coded:
        return self.problem.encode(configs)  # of the space that holds by now

    # --- all others --------------------------------------------------------------------------

    def _fold_body(self, body: Body, number: int, time: float) -> None:
        match body:
            case Proposed():
                self._go_on(body)
            case Started():
                self.orders.started = number
                self._start(body, time)
            case Reported():
                self._totals.busy.alive(body.job, time, body.seconds)
                self._report(body)
            case Ended():
                self._end(body, number, time)
            case Requeued():
                self._set(self.jobs[body.job], State.QUEUED)
                self._run_over(body, time)
                self._unfinished.requeue(body.job)
            case BudgetChanged():
                self.budget = body
            case SpaceChanged():
                self._change_space(body, number, time)
            case StopAsked() | Enqueued() | ProgramChanged():
                self.orders.take(number, body)

    def _go_on(self, body: Proposed) -> None:
        """A further job of a trial was proposed."""
        job = fold.new_job(body, self.trials[body.trial])
        self.jobs.append(job)
        self._set(job, State.QUEUED)
        self._unfinished.propose(body.trial, body.job)

    def _set(self, job: JobRecord, state: State) -> None:
        trial = self.trials[job.trial]
        self._totals.move(trial.state, state)
        job.state = trial.state = state

    def _start(self, body: Started, time: float) -> None:
        job = self.jobs[body.job]
        self._unfinished.start(body.job)
        self._set(job, State.RUNNING)
        if body.adopted:  # it ran all the while
            self._totals.busy.alive(body.job, time)
        else:
            self._totals.busy.start(body.job, time)
        fold.start(self.trials[body.trial], job, body, time)

    def _report(self, body: Reported) -> None:
        trial = self.trials[body.trial]
        if trial.ended is None:
            self._totals.spend(fold.report(trial, self.jobs[body.job], body, self.objective))

    def _end(self, body: Ended, number: int, time: float) -> None:
        trial, job = self.trials[body.trial], self.jobs[body.job]
        self._run_over(body, time)
        if trial.ended is not None:
            return
        self._set(job, body.state)
        self._totals.spend(fold.end(trial, job, body, self.objective))
        if body.state.pending:
            return
        trial.ended, trial.finished = number, time
        self._unfinished.end(body.job, body.trial)
        losses: Sequence[float] = self._no_losses
        if trial.state is State.DONE:
            losses = fold.final_losses(trial, self.objective)
            trial.loss = losses[0]
        excess = self.objective.excess(trial.metrics)
        cell = self._place(trial.scale)
        self._columns.append((losses, cell, excess, trial.number, trial.cost, trial.state))

    def _run_over(self, body: Ended | Requeued, time: float) -> None:
        """A job runs no more; one that was lost has taken the seconds up to its last sign of life.

        A job that ends well says itself how long it took.
        """
        lost = isinstance(body, Requeued) or body.alive is not None
        alive = time if body.alive is None else min(time, body.alive)
        said = body.seconds if isinstance(body, Ended) else 0.0
        seconds = self._totals.busy.end(body.job, alive, said)
        if lost and body.job in self._unfinished.running:
            trial, job = self.trials[body.trial], self.jobs[body.job]
            self._totals.spend(fold.charge(trial, job, None, seconds, self.objective))
        self._unfinished.end(body.job)

    def _change_space(self, body: SpaceChanged, number: int, time: float) -> None:
        """Replace the space and encode every trial anew; new parameters take their defaults.

        Trials that lie outside a narrowed space stay evidence: all are encoded in the hull.
        """
        space, before = Space.from_json(body.space), self.space
        if space == before:
            return
        domain = self.domain.hull(space)
        trials = list(self.trials)  # opened while the old space holds
        self.problem = replace(
            self.problem, space=space, domain=None if domain is space else domain
        )
        changes = tuple(before.diff(space))
        self.versions.append(
            SpaceVersion(len(self.versions) + 1, number, time, space, changes, len(self.trials))
        )
        self.memo.forget()
        for trial in trials:
            trial.config = domain.fill(trial.config)
            trial.outside = domain is not space and not space.admits(trial.config)
        self._coder.again(trials)
        self._columns.encode_again(domain.dimensions)
