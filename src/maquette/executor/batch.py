"""Jobs that a batch system runs, wherever it likes, and that go on without their driver.

What is said between a job and its driver stands in files (`maquette.executor.shared`); the batch
system is asked to start a job, to end it, and what became of it, and nothing else.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from maquette.errors import ExecutorError
from maquette.executor.admission import admit
from maquette.executor.function import describe, module_path
from maquette.executor.launcher import BusyError, Launcher, Standing, Terms
from maquette.executor.log import last_lines
from maquette.executor.protocol import Function, OnReport, Outcome, Task
from maquette.executor.shared import DriverSide, new_run, runs_of
from maquette.executor.wire import task_to_json
from maquette.trial import Decision, State

_PAUSE = 0.05
# A driver that minds a thousand jobs looks at twenty folders every tenth of a second.
_PAUSE_EACH = 0.002
_RETRY_SECONDS = 15.0
_RETRIES = 40


@final
@dataclass(slots=True)
class _Job:
    """A job on its way."""

    task: Task
    side: DriverSide
    number: str = ""
    tries: int = 0
    next_try: float = 0.0
    cancelled_at: float | None = None
    standing: Standing | None = None
    gone_at: float = 0.0
    forgotten: bool = False

    @property
    def cancelled(self) -> bool:
        """Whether it was told to end."""
        return self.cancelled_at is not None


@final
class BatchExecutor:
    """Runs jobs through a batch system; each has an agent where it runs.

    Parameters
    ----------
    fn
        What a job runs: a function at the top level of a module or script that the machines of
        the batch system can read too.
    workers
        How many jobs may wait or run at once.
    launcher
        The batch system.
    terms
        How jobs are run.

    Raises
    ------
    ExecutorError
        If the function cannot be found from another process by its name and file.
    """

    def __init__(self, fn: Function, workers: int, launcher: Launcher, terms: Terms) -> None:
        self._reference = describe(fn)
        if "pickle" in self._reference:
            raise ExecutorError(
                f"other machines cannot find the function {getattr(fn, '__qualname__', fn)!r}: it "
                "is not at the top level of a file",
                hint="define it with def at the top level of a file",
            )
        self._slots = workers
        self._launcher, self._terms = launcher, terms
        self._jobs: list[_Job] = []
        self._outcomes: list[Outcome] = []
        self._next_look = 0.0
        self._closed = False

    @property
    def slots(self) -> int:
        """How many jobs may wait or run at once."""
        return self._slots

    def start(self, task: Task) -> None:
        """Hand a job to the batch system.

        Raises
        ------
        ExecutorError
            If there is no free slot, the job runs already, its folder cannot be reached from
            other machines, or the batch system refuses it.
        """
        root = self._check(task)
        for run in runs_of(root, task.job):
            self._end_orphan(DriverSide(run))
        job = _Job(task, DriverSide(new_run(root, task.job, task.attempt)))
        job.side.brief(
            {
                "task": task_to_json(task),
                "function": self._reference,
                "path": module_path(),
                "argv": sys.argv,
                "threads": self._terms.threads,
                "grace": self._terms.grace,
                "limit": self._terms.limit,
                "warning": self._terms.warning,
            }
        )
        job.side.claim(task.token)
        self._submit(job)
        self._jobs.append(job)

    def survivors(self, tasks: Sequence[Task]) -> Collection[int]:
        """Return which of these jobs wait, run, or have ended unheard in the batch system."""
        found: dict[str, int] = {}
        alive = set()
        for task in tasks:
            side = self._run_of(task)
            place = None if side is None else side.place()
            if side is None or place is None:
                continue
            if side.outcome() is not None:
                alive.add(task.job)
            else:
                found[place["number"]] = task.job
        standings = self._launcher.standings(list(found)) if found else {}
        # What cannot be told about now may well run: adopted, it is asked about again.
        lost = {found[number] for number, standing in standings.items() if standing.lost}
        return alive | set(found.values()) - lost

    def adopt(self, task: Task, reports: int) -> None:
        """Take over a job of another driver, which has heard `reports` of its reports."""
        side = self._run_of(task)
        place = None if side is None else side.place()
        if side is None or place is None:
            text = "its folder is gone"
            lost = Outcome(task.job, State.INTERRUPTED, message=text, lost=True)
            self._outcomes.append(lost)
            return
        side.claim(task.token)
        side = DriverSide(side.folder, reports)
        self._jobs.append(_Job(task, side, number=place["number"]))

    def poll(self, timeout: float, on_report: OnReport) -> Sequence[Outcome]:
        """Wait up to `timeout` seconds; answer reports, return what ended."""
        deadline = time.monotonic() + timeout
        while not self._closed:
            self._look()
            for job in list(self._jobs):
                self._hear(job, on_report)
            if self._outcomes:
                break
            left = deadline - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, max(_PAUSE, _PAUSE_EACH * len(self._jobs))))
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def cancel(self, job: int) -> None:
        """End a job, unless another driver has taken it over. Its slot is free at once."""
        for running in self._jobs:
            if running.task.job == job and not running.cancelled:
                running.cancelled_at = time.monotonic()
                if running.side.is_held(running.task.token):
                    self._end(running)

    def close(self) -> None:
        """Cancel what waits or runs."""
        if self._closed:
            return
        self._closed = True
        for job in self._jobs:
            if not job.cancelled and job.side.is_held(job.task.token):
                self._end(job)
        self._jobs.clear()
        self._outcomes.clear()
        self._launcher.close()

    # --- the batch system ------------------------------------------------------------------

    def _submit(self, job: _Job) -> None:
        job.tries += 1
        title = f"maquette-{job.task.trial}-{job.task.job}"
        try:
            job.number = self._launcher.submit(job.side.folder, title)
        except BusyError:
            if job.tries >= _RETRIES:
                raise
            job.next_try = time.monotonic() + _RETRY_SECONDS
            return
        job.side.placed({"place": self._launcher.place, "number": job.number})

    def _look(self) -> None:
        """Ask the batch system, now and then, what became of jobs; hand in those that wait."""
        now = time.monotonic()
        for job in self._jobs:
            if not job.number and now >= job.next_try and not job.cancelled:
                self._submit(job)
        asked = {j.number: j for j in self._jobs if j.number and j.standing is None}
        if now < self._next_look or not asked:
            return
        standings = self._launcher.standings(list(asked))
        self._next_look = time.monotonic() + self._terms.look
        for number, standing in standings.items():
            if standing.state is not None:
                asked[number].standing, asked[number].gone_at = standing, time.monotonic()

    def _end(self, job: _Job) -> None:
        with contextlib.suppress(OSError):
            job.side.end()
        if job.number:
            self._launcher.cancel(job.number)

    def _end_orphan(self, side: DriverSide) -> None:
        """End an earlier run of a job, should it come back from the dead."""
        place = side.place()
        if side.outcome() is not None:
            return
        side.end()
        if place is not None and place["place"] == self._launcher.place:
            self._launcher.cancel(place["number"])

    # --- one job ---------------------------------------------------------------------------

    def _hear(self, job: _Job, on_report: OnReport) -> None:
        """Answer a job's reports, and take its end."""
        outcome = job.side.outcome()  # before the reports, so that none comes after it
        for report in job.side.reports():
            decision = Decision()
            if not job.cancelled:
                decision = on_report(job.task.job, report)
            job.side.answer(decision)
        outcome = outcome or self._judged(job)
        if outcome is None:
            return
        self._jobs.remove(job)
        if not job.forgotten:
            self._outcomes.append(replace(outcome, job=job.task.job))

    def _judged(self, job: _Job) -> Outcome | None:
        """Return how a job ended that has not said so itself; None while it may yet."""
        now, settle = time.monotonic(), self._terms.settle
        gone = job.standing is not None and now > job.gone_at + settle
        if job.cancelled_at is not None:
            patience = self._terms.grace + settle
            if job.number and not gone and now < job.cancelled_at + patience:
                return None
            return Outcome(job.task.job, State.INTERRUPTED, message="cancelled")
        if job.standing is None or not gone:
            return None
        standing, tail = job.standing, last_lines(job.task.folder)
        said = standing.message if standing.lost else f"{standing.message}\n{tail}".rstrip()
        state = standing.state or State.CRASHED
        return Outcome(job.task.job, state, message=said, lost=standing.lost)

    def _run_of(self, task: Task) -> DriverSide | None:
        """Return the run of a job's current attempt, if it is in this batch system."""
        if task.folder is None:
            return None
        for run in reversed(runs_of(task.folder, task.job)):
            side = DriverSide(run)
            place = side.place()
            here = place is not None and place["place"] == self._launcher.place
            if here and run.name.startswith(f"{task.job}-{task.attempt}-"):
                return side
        return None

    def _check(self, task: Task) -> Path:
        if self._closed:
            raise ExecutorError("the executor is closed")
        if task.folder is None:
            raise ExecutorError("a job of a batch system needs a folder")
        temporary = Path(tempfile.gettempdir()).resolve()
        if self._launcher.shared and task.folder.resolve().is_relative_to(temporary):
            raise ExecutorError(
                f"trials are kept in {task.folder}, which other machines cannot reach",
                hint="give run(folder=...) a folder on a file system that all machines share",
            )
        admit(task, self._jobs, self._slots)
        return task.folder
