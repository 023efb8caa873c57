"""Where jobs run: in this process, or each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maquette.errors import ExecutorError, nearest
from maquette.executor.protocol import Executor, Function, OnReport, Outcome, Task
from maquette.number import is_count

__all__ = ["Executor", "Function", "OnReport", "Outcome", "Task", "open_executor"]

NAMES = ("inline", "process")


def open_executor(name: str, fn: Callable[..., Any], workers: int = 1, **options: Any) -> Executor:
    """Return an executor that runs `fn`; close it when done.

    Parameters
    ----------
    name
        ``"inline"``: in this process, one job at a time. ``"process"``: each job in a process
        of its own, forked from a server that has imported the function once.
    fn
        What a job runs: ``fn(trial)`` returns a number or a mapping of metrics.
    workers
        How many jobs may run at once; inline runs one whatever is asked.
    options
        inline: ``post_mortem``. process: ``fresh``, ``threads``, ``grace``.

    Raises
    ------
    ExecutorError
        If the name or an option is unknown, the system lacks what the executor needs, or the
        function cannot be found from another process.
    """
    from maquette.executor.function import stop_if_preparing

    stop_if_preparing()
    _check(name, fn, workers)
    try:
        if name == "inline":
            from maquette.executor.inline import InlineExecutor

            return InlineExecutor(fn, **options)
        from maquette.executor.process import ProcessExecutor

        return ProcessExecutor(fn, workers, **options)
    except TypeError as error:
        if "keyword argument" not in str(error):
            raise
        raise ExecutorError(f"executor {name!r}: unknown option: {error}") from None


def _check(name: str, fn: object, workers: object) -> None:
    problems = []
    if name not in NAMES:
        problems.append(f"unknown executor {name!r}." + nearest(str(name), NAMES))
    if not callable(fn):
        problems.append(f"the function to run is {fn!r}, which cannot be called")
    if not is_count(workers):
        problems.append(f"workers must be a positive whole number, not {workers!r}")
    if problems:
        raise ExecutorError(problems)
