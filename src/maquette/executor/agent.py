"""The agent of one run: where a batch system has started it, it runs the job and minds it.

The job is a child of its own, as with the process executor, so that its output is logged and its
time, memory and death are told apart. What it reports goes to the driver through the run's folder.
On a job of many ranks every rank has an agent; a rank that fails ends the others.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, final

from maquette.errors import ExecutorError
from maquette.executor.function import Described
from maquette.executor.kinds import Process
from maquette.executor.process import ProcessExecutor
from maquette.executor.protocol import Outcome, Task
from maquette.executor.script import RANK
from maquette.executor.shared import JobSide
from maquette.executor.wire import task_from_json
from maquette.trial import Decision, Report, State

# The signal by which a batch system says, ahead of time, that it will take the machine away.
WARNING = signal.SIGUSR2
_SIGNALS = (signal.SIGTERM, WARNING)
_GOOD = (State.DONE, State.STOPPED, State.PAUSED)
_LOOK_SECONDS = 0.5
_PLACED_SECONDS = 120.0
# How long ranks that still run have after the first one has ended.
_LAST_SECONDS = 60.0
_PEER_SECONDS = 3.0
_SIGNAL_SECONDS = 0.5
# Slurm may send its warning up to a minute early.
_EARLY_SECONDS = 60.0
# What it takes to say how a job ended, once it has.
_TELL_SECONDS = 5.0


def run(folder: Path, rank: int = 0, size: int = 1) -> None:
    """Run one rank of the job whose run has this folder; its end is told there.

    Parameters
    ----------
    folder
        As `shared.new_run` made it.
    rank, size
        Which rank this is, of how many.
    """
    side = JobSide(folder, rank)
    deadline = time.monotonic() + _PLACED_SECONDS
    while not side.is_placed() and not side.is_to_end():
        if time.monotonic() > deadline:
            return  # its driver died as it was handed in, and nobody would hear of it
        time.sleep(0.05)
    brief = side.brief()
    if brief is None:
        raise ExecutorError(f"{folder} does not say what is to be run")
    if side.is_to_end():
        return
    sys.path[:] = brief["path"]
    sys.argv[:] = brief["argv"]
    if size > 1:
        os.environ[RANK] = str(rank)
    task = replace(task_from_json(brief["task"]), rank=rank)
    outcome = _Agent(side, task, size, brief).run()
    if outcome is None:
        return
    if rank == 0:
        side.finish(outcome)
    elif outcome.state not in _GOOD:
        side.fail(outcome)


@final
class _Agent:
    """Minds one rank of one run."""

    def __init__(self, side: JobSide, task: Task, size: int, brief: Mapping[str, Any]) -> None:
        self._side, self._task, self._size = side, task, size
        self._brief = brief
        self._began = time.time()
        self._signal: int | None = None
        self._peer: tuple[int, Outcome] | None = None
        self._finished_at: float | None = None

    def run(self) -> Outcome | None:
        """Run the job; return how it ended, or None if the batch system knows better."""
        options = Process(threads=self._brief["threads"], grace=self._brief["grace"])
        # A batch system signals every process of a job. What the executor starts from here
        # ignores that, so that the job has its grace; the agent decides.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        try:
            executor = ProcessExecutor(Described(self._brief["function"]), 1, options)
        except ExecutorError as error:
            return Outcome(self._task.job, State.CRASHED, message=str(error))
        for number in _SIGNALS:
            signal.signal(number, self._note)
        with closing(executor):
            executor.start(self._task)
            while True:
                for outcome in executor.poll(_LOOK_SECONDS, self._on_report):
                    return self._judged(outcome)
                if self._is_over():
                    executor.cancel(self._task.job)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signal != signal.SIGTERM:
            self._signal = number

    def _on_report(self, job: int, report: Report) -> Decision:
        try:
            return self._side.ask(report, self._is_called_off)
        except OSError as error:  # a full disk stops no run
            print(f"a report is lost: {self._side.folder}: {error.strerror}", file=sys.stderr)
            return Decision()

    def _is_over(self) -> bool:
        """Whether the job is to end though its function goes on."""
        if self._is_called_off() or self._side.is_to_end():
            return True
        if self._size == 1:
            return False
        self._peer = self._peer or self._failed_peer()
        if self._finished_at is None and self._task.rank and self._side.is_finished():
            self._finished_at = time.monotonic()
        late = self._finished_at is not None and (
            time.monotonic() - self._finished_at > _LAST_SECONDS
        )
        return self._peer is not None or late

    def _is_called_off(self) -> bool:
        """Whether the batch system wants the job to end, and now."""
        if self._signal is None:
            return False
        end = self._end_of_time()
        if self._signal != WARNING or end is None or not self._is_near(end):
            return True
        return time.time() > end - float(self._brief["grace"]) - _TELL_SECONDS

    def _is_near(self, end: float) -> bool:
        """Whether a warning that comes now is one of the time limit, not of a preemption."""
        return time.time() > end - float(self._brief["warning"]) - _EARLY_SECONDS

    def _failed_peer(self) -> tuple[int, Outcome] | None:
        failed = self._side.failed()
        return None if failed is None or failed[0] == self._task.rank else failed

    def _judged(self, outcome: Outcome) -> Outcome | None:
        if outcome.state is State.CRASHED and self._was_terminated():
            return None
        if outcome.state is State.INTERRUPTED and self._peer is None:
            return self._interrupted(outcome)
        if self._size == 1 or self._task.rank or outcome.state in _GOOD:
            return outcome
        deadline = time.monotonic() + _PEER_SECONDS
        while self._peer is None and time.monotonic() < deadline:
            self._peer = self._failed_peer()
            time.sleep(0.05)
        return outcome if self._peer is None else _joined(outcome, *self._peer)

    def _was_terminated(self) -> bool:
        """Whether the batch system ended the job; its signal may have met the job first."""
        deadline = time.monotonic() + _SIGNAL_SECONDS
        while self._signal is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return self._signal == signal.SIGTERM

    def _interrupted(self, outcome: Outcome) -> Outcome | None:
        """Say why this agent ended the job."""
        if self._signal is None:
            return outcome  # the driver wanted it, or the first rank has ended
        if self._signal != WARNING:
            return None
        end = self._end_of_time()
        if end is None or self._is_near(end):
            text = "the batch system's time limit is reached"
            return replace(outcome, state=State.TIMEOUT, message=text)
        return replace(outcome, message="preempted by the batch system", lost=True)

    def _end_of_time(self) -> float | None:
        """Return when the batch system's limit is reached, in seconds since 1970."""
        told = os.environ.get("SLURM_JOB_END_TIME", "")
        if told.isdigit():
            return float(told)
        limit = self._brief["limit"]
        return None if limit is None else self._began + float(limit)


def _joined(first: Outcome, rank: int, other: Outcome) -> Outcome:
    """Return the outcome of a job whose rank `rank` failed, and perhaps the first because of it."""
    text = f"rank {rank}: {other.message}"
    if first.state is State.INTERRUPTED:
        return replace(other, seconds=first.seconds, message=text)
    state = State.OOM if State.OOM in (first.state, other.state) else first.state
    return replace(first, state=state, message=f"{text}\nrank 0: {first.message}")
