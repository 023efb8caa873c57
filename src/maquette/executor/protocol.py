"""What every executor is: a place where jobs run, and how they come back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

from maquette.fidelity import Fidelity
from maquette.objective import Objective
from maquette.trial import Config, Decision, Report, State, Trial

Function = Callable[[Trial], Any]


@final
@dataclass(frozen=True, slots=True)
class Task:
    """All that is needed to run one job, wherever it runs.

    Parameters
    ----------
    folder
        The trial's own folder: reports, logs and checkpoints live there. None: keep nothing
        (inline only).
    timeout
        Seconds of wall clock after which the job is ended as `timeout`; None: no limit.
    checkpoints
        URL below which the trial's checkpoints are kept; None: in its folder. `start` holds paths,
        and URLs of checkpoints to fetch.
    study
        What all drivers of one study call it, and no driver of another study.
    attempt
        How often the job has been started, this time included.
    token
        The fencing token of the job's lease: it grows with every start and every adoption.
    rank
        Which of the job's ranks this process is. The first alone keeps reports and has a result.
    """

    trial: int
    job: int
    config: Config
    fidelity: Fidelity
    objective: Objective
    seed: int = 0
    first_step: float = 0.0
    start: tuple[str, ...] = ()
    folder: Path | None = None
    timeout: float | None = None
    study: str = ""
    attempt: int = 1
    token: int = 0
    rank: int = 0
    checkpoints: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    `state` is done, stopped or paused (it followed a decision), diverged (the primary metric is
    NaN or infinite), oom, timeout, crashed, or interrupted (it was cancelled).
    `message` says why, with the tail of the log where the job failed. `lost`: the machine that it
    ran on went away, through no fault of its own; it is to be started again.
    """

    job: int
    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    cost: float | None = None
    seconds: float = 0.0
    message: str = ""
    lost: bool = False


OnReport = Callable[[int, Report], Decision]


@runtime_checkable
class Executor(Protocol):
    """Runs jobs. All methods are called from one thread."""

    @property
    def slots(self) -> int:
        """How many jobs may run at once."""

    def start(self, task: Task) -> None:
        """Start a job; there must be a free slot."""

    def poll(self, timeout: float, on_report: OnReport) -> Sequence[Outcome]:
        """Wait up to `timeout` seconds; hand every report to `on_report`, return what ended.

        The decision that `on_report(job, report)` returns reaches the job as the answer of its
        `trial.report`. Returns early as soon as something has ended.
        """

    def cancel(self, job: int) -> None:
        """End a job for good (TERM to its process group, then KILL); its outcome: interrupted."""

    def close(self) -> None:
        """Cancel what runs and let go of everything; idempotent."""


@runtime_checkable
class Adopting(Executor, Protocol):
    """An executor whose jobs live on without their driver, and find another one."""

    def survivors(self, tasks: Sequence[Task]) -> Collection[int]:
        """Return which of these jobs still run, or have ended and were not yet asked how.

        `tasks` are as the drivers before gave them to `start`; nothing is changed here.
        """

    def adopt(self, task: Task, reports: int) -> None:
        """Take over a job that `survivors` named, as if it had been started here.

        Its first `reports` reports are known already: `poll` hands over those that follow, and
        then its outcome; one that vanished meanwhile is lost. Adopted jobs may be more than there
        are slots.
        """
