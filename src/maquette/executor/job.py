"""One job, wherever it runs: call the function, pass its reports on, judge how it ended."""

from __future__ import annotations

import math
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, final

from maquette.checkpoint import fetched, open_shelf, written
from maquette.errors import CheckpointError, ObjectiveError, ProgramError
from maquette.executor.protocol import Function, Outcome, Task
from maquette.executor.reports import ReportFile
from maquette.trial import Action, Decision, Report, State, Trial

MESSAGE_LIMIT = 4000
_FRAMES = 4
_HERE = os.path.dirname(os.path.abspath(__file__))
_OOM_TEXTS = ("out of memory", "DefaultCPUAllocator", "RESOURCE_EXHAUSTED")


@final
class JobChannel:
    """What a running trial speaks through; remembers what it said and was told.

    A decision to stop or pause stays: a function that reports once more gets the same answer,
    so that a run cut short is never taken for a whole one.
    """

    def __init__(self, task: Task, ask: Callable[[Report], Decision]) -> None:
        self.last: Report | None = None
        self.order: Decision | None = None
        self._folder, self._task = task.folder, task
        own = None if task.folder is None else str(task.folder / "checkpoints")
        self._shelf = task.checkpoints or own
        self._file = ReportFile(None if task.rank else task.folder, task.job)
        self._ask = ask
        # A function may report from a thread of its own.
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path | None:
        """The trial's own folder."""
        return self._folder

    @property
    def shelf(self) -> str | None:
        """Where the trial's checkpoints are kept."""
        return self._shelf

    def checkpoint(self, step: float) -> AbstractContextManager[Path]:
        """Give a folder to write a checkpoint into; only the first rank's is kept."""
        if self._shelf is None:
            raise ObjectiveError("this trial has no folder to keep checkpoints in")
        task = self._task
        near = None if task.folder is None else task.folder / "checkpoints"
        shelf = open_shelf(self._shelf)
        return written(shelf, task.job, step, near=near, dropped=task.rank > 0)

    def report(self, report: Report) -> Decision:
        """Write the report down, hand it over, and return the decision."""
        with self._lock:
            self.last = report
            self._file.append(report)
            decision = self._ask(report)
            if not decision and (self.order is None or self.order.action is Action.PAUSE):
                self.order = decision
            return decision if self.order is None else self.order


def run_job(
    fn: Function,
    task: Task,
    ask: Callable[[Report], Decision],
    *,
    on_error: Callable[[BaseException], None] | None = None,
) -> Outcome:
    """Run a job to its end in this thread; return how it ended.

    Parameters
    ----------
    ask
        Takes a report, returns the decision.
    on_error
        Called with an exception that the function let through, before it is judged.

    Raises
    ------
    BaseException
        What is neither an Exception nor SystemExit (Ctrl-C, for one) is not held back.
    """
    channel = JobChannel(task, ask)
    try:
        start = tuple(str(fetched(place)) for place in task.start)
    except CheckpointError as error:
        # Whoever starts it again looks anew what is there.
        return Outcome(task.job, State.INTERRUPTED, message=_cut(str(error)), lost=True)
    trial = Trial(
        task.trial,
        task.config,
        task.fidelity,
        job=task.job,
        seed=task.seed,
        first_step=task.first_step,
        start=start,
        channel=channel,
    )
    began = time.monotonic()
    try:
        if task.folder is not None:
            task.folder.mkdir(parents=True, exist_ok=True)
        result = fn(trial)
    except (Exception, SystemExit) as error:
        if on_error is not None:
            on_error(error)
        return failure(task, error, time.monotonic() - began)
    if task.rank:
        return Outcome(task.job, State.DONE, seconds=time.monotonic() - began)
    return judge(task, channel, result, time.monotonic() - began)


def judge(task: Task, channel: JobChannel, result: Any, seconds: float) -> Outcome:
    """Return the outcome of a function that returned."""
    order, last = channel.order, channel.last
    if result is None and order is not None:
        # A function that was told to stop has nothing more to say than what it reported.
        metrics: dict[str, float] = {}
    else:
        try:
            metrics = task.objective.read(result)
        except ObjectiveError as error:
            return Outcome(task.job, State.CRASHED, seconds=seconds, message=_cut(str(error)))
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            text = f"what the function returned cannot be read: {_line(error)}"
            return Outcome(task.job, State.CRASHED, seconds=seconds, message=_cut(text))
    return settle(task, metrics, seconds, last, order)


def settle(
    task: Task,
    metrics: dict[str, float],
    seconds: float,
    last: Report | None,
    order: Decision | None,
) -> Outcome:
    """Return the outcome of a job with these metrics, its last report, and the order it obeyed."""
    known = metrics if metrics or last is None else last.metrics
    primary = task.objective.primary
    value = known.get(primary, 0.0)
    cost = metrics.get(task.objective.cost or "", None if last is None else last.cost)
    if not math.isfinite(value):
        message = f"{primary} is {value}"
        return Outcome(task.job, State.DIVERGED, metrics, cost, seconds, message)
    if order is not None:
        state = State.PAUSED if order.action is Action.PAUSE else State.STOPPED
        return Outcome(task.job, state, metrics, cost, seconds, order.reason)
    return Outcome(task.job, State.DONE, metrics, cost, seconds)


def failure(task: Task, error: BaseException, seconds: float) -> Outcome:
    """Return the outcome of a function that raised."""
    state = State.OOM if any(map(_is_oom, _causes(error))) else State.CRASHED
    return Outcome(task.job, state, seconds=seconds, message=_describe(error))


def _describe(error: BaseException) -> str:
    """Return the exception in one line, and below it where the user's code raised it."""
    if isinstance(error, ProgramError):
        return _cut(str(error))  # no code of the user's raised it
    line = _line(error)
    if isinstance(error, SystemExit):
        line = f"the function called sys.exit({error.code!r}) and returned nothing"
    try:
        frames = [
            f
            for f in traceback.extract_tb(error.__traceback__)
            if os.path.dirname(os.path.abspath(f.filename)) != _HERE
        ]
        where = "".join(traceback.format_list(frames[-_FRAMES:]))
    except Exception:  # out of memory while describing an error: the line must do
        where = ""
    return _cut(f"{_cut(line, MESSAGE_LIMIT // 2)}\n{where}".rstrip())


def _line(error: BaseException) -> str:
    try:
        text = "".join(traceback.format_exception_only(error)).strip()
    except Exception:  # an exception whose own __str__ fails
        text = ""
    return text or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__


def _is_oom(error: BaseException) -> bool:
    """Whether this is memory running out; torch and JAX are known by name, not imported."""
    if isinstance(error, MemoryError):
        return True
    if any(cls.__name__ == "OutOfMemoryError" for cls in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(t in _line(error) for t in _OOM_TEXTS)


def _cut(text: str, limit: int = MESSAGE_LIMIT) -> str:
    return text if len(text) <= limit else f"{text[:limit]} [cut: {len(text)} characters]"
