"""Where jobs run: in this process, or each in a process of its own."""

from __future__ import annotations

from maquette.errors import ExecutorError
from maquette.executor.kinds import KINDS, Inline, Kind, Process, by_name
from maquette.executor.protocol import Adopting, Executor, Function, OnReport, Outcome, Task
from maquette.executor.ray import Ray
from maquette.executor.slurm import Slurm
from maquette.number import is_count

__all__ = [
    "KINDS",
    "Adopting",
    "Executor",
    "Function",
    "Inline",
    "Kind",
    "OnReport",
    "Outcome",
    "Process",
    "Ray",
    "Slurm",
    "Task",
    "by_name",
    "open_executor",
]


def open_executor(kind: str | Kind | None, fn: Function, workers: int = 1) -> Executor:
    """Return an executor that runs `fn`; close it when done.

    Parameters
    ----------
    kind
        ``"inline"``: in this process, one job at a time. ``"process"``: each job in a process
        of its own, forked from a server that has imported the function once. Or an object that
        carries options, such as ``mq.executor.Process(fresh=True)``. None: inline for one worker,
        else process.
    fn
        What a job runs: ``fn(trial)`` returns a number or a mapping of metrics.
    workers
        How many jobs may run at once; inline runs one whatever is asked.

    Raises
    ------
    ExecutorError
        If there is no such kind, the system lacks what it needs, or the function cannot be found
        from another process.
    """
    from maquette.executor.function import stop_if_preparing

    stop_if_preparing()
    problems: list[str] = []
    try:
        known = by_name(kind, workers)
    except ExecutorError as error:
        problems += error.problems
        hint = error.hint
    else:
        hint = None
    given: object = fn
    if not callable(given):
        problems.append(f"the function to run is {fn!r}, which cannot be called")
    if not is_count(workers):
        problems.append(f"workers must be a positive whole number, not {workers!r}")
    if problems:
        raise ExecutorError(problems, hint=hint)
    return known.open(fn, workers)
