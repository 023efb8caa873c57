"""What is asked of a batch system, and what it answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final, runtime_checkable

from maquette.errors import ExecutorError
from maquette.trial import State


@final
class BusyError(ExecutorError):
    """The batch system does not answer now; it may a minute later."""

    code = "MQ402"


@final
@dataclass(frozen=True, slots=True)
class Standing:
    """What a batch system says of a job.

    Parameters
    ----------
    state
        None while it waits or runs; else how it ended, as far as the batch system can tell.
    message
        The batch system's own words.
    lost
        Whether it is to be started again: its machine went away, or it was preempted.
    """

    state: State | None = None
    message: str = ""
    lost: bool = False


@runtime_checkable
class Launcher(Protocol):
    """What is asked of a batch system."""

    @property
    def place(self) -> str:
        """A name for the batch system, in which its numbers mean something."""

    @property
    def shared(self) -> bool:
        """Whether jobs run on other machines, so that folders must be reachable from there."""

    def submit(self, run: Path, title: str) -> str:
        """Have `agent.run` started with a run's folder; return the batch system's number.

        Raises
        ------
        BusyError
            If it may be tried again.
        ExecutorError
            If the batch system refuses the job.
        """

    def standings(self, numbers: Collection[str]) -> Mapping[str, Standing]:
        """Return what became of jobs; one that is left out cannot be told about now."""

    def cancel(self, number: str) -> None:
        """End a job."""

    def close(self) -> None:
        """Let go of everything; idempotent."""


@final
@dataclass(frozen=True, slots=True)
class Terms:
    """How jobs are run.

    Parameters
    ----------
    threads
        Threads that numerical libraries may use in one job; None: leave the environment alone.
    grace
        Seconds between SIGTERM and SIGKILL.
    limit
        The batch system's limit in seconds; None: not known.
    warning
        How many seconds ahead of the limit the batch system warns a job.
    look
        Seconds between two questions to the batch system.
    settle
        Seconds that a file may take to be seen here.
    """

    threads: int | None = None
    grace: float = 5.0
    limit: float | None = None
    warning: float = 30.0
    look: float = 10.0
    settle: float = 20.0
