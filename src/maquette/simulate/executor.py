"""The virtual executor: workers that run replayed jobs, on a virtual clock.

Every event is due at a virtual time; the earliest comes first, and of those due at the same time
that of the worker with the lowest number. A job goes to the free worker with the lowest number.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

from maquette.errors import ExecutorError, ObjectiveError, StudyError
from maquette.executor.job import settle
from maquette.executor.protocol import OnReport, Outcome, Task
from maquette.simulate.clock import Clock
from maquette.simulate.replay import End, Moment, Replay
from maquette.trial import Report, State, Trial

# So many events may follow one another with nothing spent, where no number of trials bounds them.
_STILL = 100_000
_END = End()


@final
@dataclass(slots=True)
class _Running:
    """A job under way; `moment` is what it does next."""

    task: Task
    worker: int
    began: float
    moments: Iterator[Moment]
    moment: Moment = _END
    last: Report | None = None


@final
class VirtualExecutor:
    """Runs replayed jobs; `poll` moves the clock to what is due next.

    Parameters
    ----------
    objective
        What a job does.
    clock
        The clock of the study's store.
    workers
        How many jobs run at once.
    synchronous
        Start jobs only when all workers are free: batch by batch.
    thinking
        Returns the seconds that proposing the next job takes; its worker waits for them, and one
        job is proposed at a time. None: no time.
    bounded
        Whether a number of trials bounds the run; otherwise jobs that spend nothing are refused.

    Attributes
    ----------
    idle
        Seconds that workers were free before the last job began, summed over workers.
    """

    def __init__(
        self,
        objective: Replay,
        clock: Clock,
        workers: int,
        *,
        synchronous: bool = False,
        thinking: Callable[[], float] | None = None,
        bounded: bool = True,
    ) -> None:
        self._objective, self._clock, self._workers = objective, clock, workers
        self._synchronous, self._thinking, self._bounded = synchronous, thinking, bounded
        self._free = list(range(workers))  # a heap
        self._due: list[tuple[float, int, int]] = []  # a heap of (time, worker, job)
        self._jobs: dict[int, _Running] = {}
        self._cancelled: list[Outcome] = []
        self._open = True
        self._thought = 0.0
        self._spare = 0.0
        self._still = 0
        self.idle = 0.0

    @property
    def slots(self) -> int:
        """How many jobs may run at once; in a batch under way, those that still run."""
        return self._workers if self._open or not self._synchronous else len(self._jobs)

    def start(self, task: Task) -> None:
        """Start a job on the free worker with the lowest number."""
        if not self._free:
            raise ExecutorError(f"all {self._workers} virtual workers are busy")
        began = self._clock()
        self.idle = self._spare
        if self._thinking is not None:
            began = self._thought = max(began, self._thought) + self._thinking()
        moments = self._objective(_trial(task))
        if not isinstance(moments, Iterable):
            raise ObjectiveError(
                f"a simulated objective gave {moments!r}, which holds no reports",
                hint="yield Report(step, metrics, cost, seconds), and End(result, seconds) at last",
            )
        run = _Running(task, heapq.heappop(self._free), began, iter(moments))
        self._jobs[task.job] = run
        self._plan(run)

    def poll(self, timeout: float, on_report: OnReport) -> Sequence[Outcome]:
        """Move the clock to what is due next; hand the report over, or return how the job ended.

        No real time passes, whatever the timeout.
        """
        if self._cancelled:
            gone, self._cancelled = self._cancelled, []
            return gone
        if not self._due:
            return []
        self._open = False
        due, _, number = heapq.heappop(self._due)
        self._spare += len(self._free) * (due - self._clock())
        self._stand_still(due > self._clock())
        self._clock.advance(due)
        run = self._jobs[number]
        if isinstance(run.moment, End):
            return [self._end(run, _outcome(run, run.moment))]
        report = run.last = run.moment
        decision = on_report(number, report)
        if number not in self._jobs:
            return []
        if not decision:
            return [self._end(run, settle(run.task, {}, report.seconds, report, decision))]
        self._plan(run)
        return []

    def cancel(self, job: int) -> None:
        """End a job now; the next poll says that it was interrupted."""
        run = self._jobs.get(job)
        if run is not None:
            self._due = [entry for entry in self._due if entry[2] != job]
            heapq.heapify(self._due)
            seconds = max(0.0, self._clock() - run.began)
            outcome = Outcome(job, State.INTERRUPTED, seconds=seconds, message="cancelled")
            self._cancelled.append(self._end(run, outcome))

    def close(self) -> None:
        """Let go of all jobs."""
        for job in list(self._jobs):
            self.cancel(job)

    def _plan(self, run: _Running) -> None:
        """Look what a job does next, and when."""
        before = 0.0 if run.last is None else run.last.seconds
        moment = next(run.moments, _END)
        if not isinstance(moment, Report | End):
            raise ObjectiveError(f"a simulated objective gave {moment!r}, not a Report or an End")
        seconds = moment.seconds
        if seconds is None:
            seconds, moment = before, replace(moment, seconds=before)
        if not before <= seconds < math.inf:
            raise ObjectiveError(
                f"trial {run.task.trial} does something {seconds!r} s after it began, "
                f"when {before:g} s have passed"
            )
        limit = run.task.timeout
        if limit is not None and seconds > limit:
            why = f"took longer than {limit:g} s"
            moment = End(None, limit, state=State.TIMEOUT, message=why)
            seconds = limit
        run.moment = moment
        heapq.heappush(self._due, (run.began + seconds, run.worker, run.task.job))

    def _end(self, run: _Running, outcome: Outcome) -> Outcome:
        del self._jobs[run.task.job]
        heapq.heappush(self._free, run.worker)
        self._open = not self._jobs
        if outcome.cost:
            self._still = 0
        return outcome

    def _stand_still(self, moved: bool) -> None:
        """Refuse a run that would go on for ever."""
        self._still = 0 if moved or self._bounded else self._still + 1
        if self._still > _STILL:
            raise StudyError(
                f"{_STILL} events in a row have taken neither time nor cost: "
                "the budget will never be spent",
                hint="give the reports seconds, or the budget a number of trials",
            )


def _trial(task: Task) -> Trial:
    return Trial(
        task.trial,
        task.config,
        task.fidelity,
        job=task.job,
        seed=task.seed,
        first_step=task.first_step,
        start=task.start,
    )


def _outcome(run: _Running, end: End) -> Outcome:
    """Return the outcome that an executor would give to a job that ends so."""
    last, task = run.last, run.task
    seconds = end.seconds or 0.0
    if end.result is None:
        metrics = dict(last.metrics) if last is not None and end.state is State.DONE else {}
    else:
        metrics = task.objective.read(end.result)
    if end.state is not State.DONE:
        cost = end.cost if end.cost is not None or last is None else last.cost
        return Outcome(task.job, end.state, metrics, cost, seconds, end.message)
    outcome = settle(task, metrics, seconds, last, None)
    return outcome if end.cost is None else replace(outcome, cost=end.cost)
