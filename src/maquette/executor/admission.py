"""Whether an executor of many slots may take one more job."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from maquette.errors import ExecutorError
from maquette.executor.protocol import Task


@runtime_checkable
class Held(Protocol):
    """A job that an executor has, cancelled ones included until they are gone.

    `forgotten`: it ends unheard.
    """

    forgotten: bool

    @property
    def task(self) -> Task:
        """What was to be run."""

    @property
    def cancelled(self) -> bool:
        """Whether its slot is free though it may still be ending."""


def admit(task: Task, jobs: Collection[Held], slots: int) -> None:
    """Refuse a job that runs already or finds no free slot.

    One that is started again before its cancelled run is gone is taken; that run is forgotten.

    Raises
    ------
    ExecutorError
        If it is refused.
    """
    for job in jobs:
        if job.task.job == task.job:
            if not job.cancelled:
                raise ExecutorError(f"job {task.job} is running already")
            job.forgotten = True
    if sum(not job.cancelled for job in jobs) >= slots:
        raise ExecutorError(f"all {slots} slots are taken")
