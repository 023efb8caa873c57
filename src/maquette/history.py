"""History: a study's events and the columns folded from them; the only thing algorithms read.

Appending the n-th event costs O(1) amortised. Finished trials stand in the order of their end
event, so a model fitted on the first m of them is the same whoever fits it, and whenever.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import final

import numpy as np

from maquette.busy import BusyTime
from maquette.columns import Columns, Finished
from maquette.errors import StudyError
from maquette.events import (
    BudgetChanged,
    Ended,
    Enqueued,
    Event,
    ProgramChanged,
    Proposed,
    Reported,
    Requeued,
    SpaceChanged,
    Started,
    StopAsked,
)
from maquette.fidelity import Duration, Fidelity
from maquette.instances import Instances
from maquette.objective import Objective
from maquette.orders import Orders
from maquette.records import JobRecord, SpaceVersion, TrialRecord
from maquette.rng import generator
from maquette.scale import Scale
from maquette.space import Space
from maquette.trial import Config, State

__all__ = ["History", "JobRecord", "Problem", "SpaceVersion", "TrialRecord"]


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """What a study asks: space, objective, durations, scale, instances and seed."""

    space: Space
    objective: Objective
    duration: Duration = field(default_factory=Duration)
    scale: Scale | None = None
    instances: Instances | None = None
    seed: int = 0
    domain: Space | None = None

    @property
    def evidence(self) -> Space:
        """The space that trials are encoded in: it holds every version's configs."""
        return self.space if self.domain is None else self.domain


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
    orders
        What users asked of the study while it runs: to stop, and configs to try next.
    """

    def __init__(self, problem: Problem, events: Iterable[Event] = ()) -> None:
        self.problem = problem
        self.trials: list[TrialRecord] = []
        self.jobs: list[JobRecord] = []
        self.budget = BudgetChanged()
        self.versions = [SpaceVersion(1, 0, None, problem.space)]
        self.orders = Orders()
        self.last = 0
        self._pending: dict[int, None] = {}
        self._queued: dict[int, None] = {}
        self._cells: dict[tuple[float, ...], list[int]] = {}
        metrics, axes = len(self.objective.metrics), len(self.axes)
        self._columns = Columns(problem.space.dimensions, axes=axes, metrics=metrics)
        self._cost = 0.0
        self._seconds = 0.0
        self._busy = BusyTime()
        self._running: set[int] = set()
        self._latest = 0.0
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
        return self._cost

    @property
    def seconds(self) -> float:
        """Seconds that jobs have run so far, summed."""
        return self._seconds

    def elapsed(self, now: float | None = None) -> float:
        """Return the seconds of wall clock during which at least one job was running.

        Unlike `seconds` it counts parallel jobs once, and pauses between runs not at all; a job
        that was lost counts up to its last sign of life. With `now`, by the store's clock, the
        time since the last event counts too if a job is running.
        """
        return self._busy.total(self._latest if now is None else max(now, self._latest))

    @property
    def running(self) -> list[JobRecord]:
        """Jobs that have been started and have not ended, in order of proposal."""
        return [self.jobs[i] for i in sorted(self._running)]

    @property
    def finished(self) -> Finished:
        """Columns over finished trials, in the order of their end events (read-only views)."""
        return self._columns.view()

    @property
    def pending(self) -> list[TrialRecord]:
        """Trials that have not ended, in order of proposal."""
        return [self.trials[i] for i in self._pending]

    @property
    def queued(self) -> list[JobRecord]:
        """Jobs that wait to be started, in order of proposal."""
        return [self.jobs[i] for i in self._queued]

    def rng(self) -> np.random.Generator:
        """Return the generator for what is proposed next, from the seed and the jobs so far.

        Counting jobs rather than events keeps proposals the same when a run is interrupted, its
        budget changed or a job started again: those are events, and change nothing that matters.
        """
        return generator(self.problem.seed, len(self.jobs))

    def counts(self) -> dict[str, int]:
        """Return the number of trials in each state that occurs."""
        counts: dict[str, int] = {}
        for trial in self.trials:
            counts[trial.state.value] = counts.get(trial.state.value, 0) + 1
        return counts

    def tally(self) -> str:
        """Return the counts in words: ``3 done, 1 diverged``; ``none`` while there is no trial."""
        return ", ".join(f"{n} {state}" for state, n in self.counts().items()) or "none"

    def in_cell(self, scale: Mapping[str, float]) -> list[TrialRecord]:
        """Return the trials at one cell, in order of proposal."""
        return [self.trials[i] for i in self._cells.get(self._cell(scale), [])]

    def _cell(self, scale: Mapping[str, float]) -> tuple[float, ...]:
        return tuple(float(scale[name]) for name in self.axes if name in scale)

    def extend(self, events: Iterable[Event]) -> None:
        """Fold further events.

        Raises
        ------
        StudyError
            If the numbers do not go on from the last one folded.
        """
        events = list(events)
        coded = self._encoded(events) if len(events) > 1 else iter(())
        for event in events:
            if event.number != self.last + 1:
                raise StudyError(
                    f"event {event.number} follows event {self.last}: the sequence has a gap"
                )
            self._fold(event, coded)
            self.last = event.number

    def _encoded(self, events: Sequence[Event]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Encode proposed configs together, far cheaper than singly, as far as the space holds."""
        ahead = takewhile(lambda event: not isinstance(event.body, SpaceChanged), events)
        bodies = [event.body for event in ahead if isinstance(event.body, Proposed)]
        configs = [body.config for body in bodies if body.config is not None]
        if not configs:
            return iter(())
        return zip(*self.domain.encode_many(self._whole(configs)), strict=True)

    def _whole(self, configs: list[Config]) -> list[Config]:
        """Complete configs by the defaults of parameters that the space in force has no more."""
        domain = self.domain
        return configs if domain is self.space else [domain.fill(config) for config in configs]

    def _fold(self, event: Event, coded: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        self._latest = max(self._latest, event.time)
        match event.body:
            case Proposed() as body:
                self._propose(body, coded)
            case Started() as body:
                self.orders.started = event.number
                self._start(body, event.time)
            case Reported() as body:
                self._busy.alive(body.job, event.time)
                self._report(body)
            case Ended() as body:
                self._end(body, event)
            case Requeued() as body:
                self._set(self.jobs[body.job], State.QUEUED)
                self._run_over(body, event.time)
                self._queued[body.job] = None
            case BudgetChanged() as body:
                self.budget = body
            case SpaceChanged() as body:
                self._change_space(body, event)
            case StopAsked() | Enqueued() | ProgramChanged() as body:
                self.orders.take(event.number, body)

    def _propose(self, body: Proposed, coded: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        fidelity = Fidelity(body.until, body.scale, body.instance)
        if body.config is not None:
            row, active = next(coded, None) or self.domain.encode(*self._whole([body.config]))
            self.trials.append(
                TrialRecord(body.trial, body.config, row, active, body.origin, body.why, body.scale)
            )
            self._cells.setdefault(self._cell(body.scale), []).append(body.trial)
            self.orders.proposed(body)
        job = JobRecord(
            body.job, body.trial, fidelity, body.first_step, body.start, body.final, body.basis
        )
        self.jobs.append(job)
        self.trials[body.trial].jobs.append(job)
        self._set(job, State.QUEUED)
        self._queued[body.job] = None
        self._pending[body.trial] = None

    def _set(self, job: JobRecord, state: State) -> None:
        job.state = state
        self.trials[job.trial].state = state

    def _start(self, body: Started, time: float) -> None:
        job, trial = self.jobs[body.job], self.trials[body.trial]
        self._queued.pop(body.job, None)
        self._running.add(body.job)
        self._set(job, State.RUNNING)
        if body.adopted:  # it ran all the while
            job.owner, job.token = body.owner, body.token
            self._busy.alive(body.job, time)
            return
        self._busy.start(body.job, time)
        job.owner, job.token, job.note = body.owner, body.token, body.note
        job.past_cost, job.past_seconds = job.cost, job.seconds
        job.starts += 1
        if body.first_step is not None:
            job.first_step = body.first_step
        if body.start is not None:
            job.start = body.start
        if trial.began is None:
            trial.began = time
        for curve in (trial, job):
            keep = bisect_right(curve.steps, job.first_step) if job.first_step else 0
            del curve.steps[keep:], curve.losses[keep:]

    def _report(self, body: Reported) -> None:
        trial, job = self.trials[body.trial], self.jobs[body.job]
        if trial.ended is not None:
            return
        trial.metrics.update(body.metrics)
        if self.objective.primary in body.metrics:
            loss = self.objective.loss(body.metrics)
            for curve in (trial, job):
                curve.steps.append(body.step)
                curve.losses.append(loss)
        self._charge(trial, job, body.cost, body.seconds)

    def _charge(
        self, trial: TrialRecord, job: JobRecord, cost: float | None, seconds: float
    ) -> None:
        """Raise the job's cost and seconds to those of this run, on top of its earlier runs.

        A run never gets cheaper, and what a run has cost that was lost is spent all the same.
        """
        more = max(0.0, job.past_seconds + seconds - job.seconds)
        spent = seconds if cost is None and self.objective.cost is None else (cost or 0.0)
        dearer = max(0.0, job.past_cost + spent - job.cost)
        job.seconds += more
        trial.seconds += more
        self._seconds += more
        job.cost += dearer
        trial.cost += dearer
        self._cost += dearer

    def _end(self, body: Ended, event: Event) -> None:
        trial, job = self.trials[body.trial], self.jobs[body.job]
        self._queued.pop(body.job, None)
        self._run_over(body, event.time)
        if trial.ended is not None:
            return
        cost = body.cost
        if cost is None and self.objective.cost is not None:
            cost = body.metrics.get(self.objective.cost)
        self._charge(trial, job, cost, body.seconds)
        job.metrics = body.metrics
        trial.metrics.update(body.metrics)
        trial.message = body.message
        self._set(job, body.state)
        if body.state.pending:
            return
        trial.ended, trial.finished = event.number, event.time
        self._pending.pop(body.trial, None)
        if body.state is State.DONE:
            losses = self._final_losses(trial)
            trial.loss = float(losses[0])
        else:
            losses = np.full(len(self.objective.metrics), np.nan)
        cell = [float(trial.scale.get(name, np.nan)) for name in self.axes]
        self._columns.append(trial, losses, cell, self.objective.violation(trial.metrics))

    def _run_over(self, body: Ended | Requeued, time: float) -> None:
        """A job runs no more; one that was lost has taken the seconds up to its last sign of life.

        A job that ends well says itself how long it took.
        """
        lost = isinstance(body, Requeued) or body.alive is not None
        alive = time if body.alive is None else min(time, body.alive)
        seconds = self._busy.end(body.job, alive)
        if lost and body.job in self._running:
            self._charge(self.trials[body.trial], self.jobs[body.job], None, seconds)
        self._running.discard(body.job)

    def _final_losses(self, trial: TrialRecord) -> np.ndarray:
        """Average the losses over the instances measured at full fidelity; the last one counts."""
        measured = {job.fidelity.instance: job.metrics for job in trial.jobs if job.metrics}
        if len(measured) < 2:
            return self.objective.losses(next(iter(measured.values()), trial.metrics))
        losses = [self.objective.losses(metrics) for metrics in measured.values()]
        mean: np.ndarray = np.mean(losses, axis=0)
        return mean

    def _change_space(self, body: SpaceChanged, event: Event) -> None:
        """Replace the space and encode every trial anew; new parameters take their defaults.

        Trials that lie outside a narrowed space stay evidence: all are encoded in the hull.
        """
        space, before = Space.from_json(body.space), self.space
        if space == before:
            return
        domain = self.domain.hull(space)
        self.problem = replace(
            self.problem, space=space, domain=None if domain is space else domain
        )
        changes = tuple(before.diff(space))
        self.versions.append(
            SpaceVersion(
                len(self.versions) + 1, event.number, event.time, space, changes, len(self.trials)
            )
        )
        for trial in self.trials:
            trial.config = domain.fill(trial.config)
            trial.row, trial.active = domain.encode(trial.config)
            trial.outside = domain is not space and not space.admits(trial.config)
        self._columns.encode_again(domain.dimensions, self.trials)
