"""The inline executor: jobs run in this process, one at a time, inside `poll`."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import final

from maquette.errors import ExecutorError
from maquette.executor.job import run_job
from maquette.executor.protocol import Function, OnReport, Outcome, Task
from maquette.trial import Decision, Report, State


class _JobEnd(BaseException):
    """Unwinds the user's function; not an Exception, so that `except Exception` lets it pass."""

    def __init__(self, state: State, message: str) -> None:
        super().__init__(message)
        self.state, self.message = state, message


@final
class InlineExecutor:
    """Runs jobs in the calling thread: nothing to pickle, a debugger works, prints are seen.

    Parameters
    ----------
    fn
        What a job runs.
    debug
        Open the debugger where the function raised.

    Notes
    -----
    A job's timeout interrupts Python code in the main thread of a POSIX system; elsewhere it is
    seen at the next report. Memory and crashes of the interpreter are shared with the caller.
    """

    def __init__(self, fn: Function, *, debug: bool = False) -> None:
        self._fn = fn
        self._debug = debug
        self._queue: list[Task] = []
        self._current: int | None = None
        self._cancelled: set[int] = set()
        self._closed = False

    @property
    def slots(self) -> int:
        """One."""
        return 1

    def start(self, task: Task) -> None:
        """Take a job; it runs in the next `poll`."""
        if self._closed:
            raise ExecutorError("the executor is closed")
        if self._current is not None or any(t.job not in self._cancelled for t in self._queue):
            raise ExecutorError("the inline executor runs one job at a time")
        self._queue.append(task)

    def poll(self, timeout: float, on_report: OnReport) -> Sequence[Outcome]:
        """Run the job at hand to its end; sleep for `timeout` seconds if there is none."""
        if not self._queue:
            time.sleep(timeout)
            return []
        outcomes = []
        while self._queue:
            task = self._queue.pop(0)
            if task.job in self._cancelled:
                outcomes.append(_interrupted(task.job, 0.0))
                self._cancelled.discard(task.job)
            else:
                outcomes.append(self._run(task, on_report))
        return outcomes

    def cancel(self, job: int) -> None:
        """End a job at its current report, or before it starts."""
        if job == self._current or any(t.job == job for t in self._queue):
            self._cancelled.add(job)

    def close(self) -> None:
        """Take no more jobs."""
        self._queue.clear()
        self._closed = True

    def _run(self, task: Task, on_report: OnReport) -> Outcome:
        began = time.monotonic()
        driver_errors: list[Exception] = []

        def ask(report: Report) -> Decision:
            try:
                decision = on_report(task.job, report)
            except Exception as error:
                # The driver's own error must pass the user's function, whatever that catches.
                driver_errors.append(error)
                raise _JobEnd(State.CRASHED, "the driver failed") from error
            if task.job in self._cancelled:
                raise _JobEnd(State.INTERRUPTED, "cancelled")
            if task.timeout is not None and time.monotonic() - began > task.timeout:
                raise _late(task.timeout)
            return decision

        self._current = task.job
        try:
            with _alarm(task.timeout):
                on_error = _debug if self._debug else None
                outcome = run_job(self._fn, task, ask, on_error=on_error)
        except _JobEnd as end:
            seconds = time.monotonic() - began
            outcome = Outcome(task.job, end.state, seconds=seconds, message=end.message)
        finally:
            self._current = None
            cancelled = task.job in self._cancelled
            self._cancelled.discard(task.job)
        if driver_errors:
            raise driver_errors[0]
        if cancelled:
            return _interrupted(task.job, time.monotonic() - began)
        return outcome


def _interrupted(job: int, seconds: float) -> Outcome:
    return Outcome(job, State.INTERRUPTED, seconds=seconds, message="cancelled")


def _late(timeout: float) -> _JobEnd:
    return _JobEnd(State.TIMEOUT, f"took longer than {timeout:g} s")


@contextmanager
def _alarm(timeout: float | None) -> Iterator[None]:
    """Raise in the user's function when its time is up, where the system can."""
    able = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if timeout is None or not able or signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise _late(timeout)

    before = signal.signal(signal.SIGALRM, ring)
    # It rings again: a function may swallow the first exception in a bare `except`.
    signal.setitimer(signal.ITIMER_REAL, timeout, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _debug(error: BaseException) -> None:
    import pdb

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)  # the job's time does not run out meanwhile
    traceback.print_exception(error, file=sys.stderr)
    pdb.post_mortem(error.__traceback__)
