"""Trials, jobs and reports: what is run, one stretch of it, and what it says on the way.

A *trial* is one config from first start to end. A *job* is one stretch of it: from which
checkpoints, up to which fidelity. Promotion, resume and retry are new jobs of the same trial.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

from maquette.errors import ObjectiveError
from maquette.fidelity import Fidelity
from maquette.instances import Instance
from maquette.number import as_number
from maquette.ranks import from_first

Config = Mapping[str, Any]


class State(StrEnum):
    """Where a trial stands. A failure is a state, never a fake loss."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"
    DIVERGED = "diverged"
    OOM = "oom"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    CENSORED = "censored"
    INTERRUPTED = "interrupted"

    @property
    def pending(self) -> bool:
        """Whether the trial will go on."""
        return self in (State.QUEUED, State.RUNNING, State.PAUSED)

    @property
    def failed(self) -> bool:
        """Whether the trial ended without a result through its own fault."""
        return self in (State.DIVERGED, State.OOM, State.TIMEOUT, State.CRASHED)


class Action(StrEnum):
    """What a scheduler wants of a running trial."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"


@final
@dataclass(frozen=True, slots=True)
class Decision:
    """Advice for a trial; true to go on.

    Parameters
    ----------
    action
        Continue, pause or stop.
    trial
        Number of the trial concerned.
    reason
        Why, in words.
    probability
        How sure the rule is that the trial cannot win, in [0, 1]; 1 for a plain rule.
    """

    action: Action = Action.CONTINUE
    trial: int = -1
    reason: str = ""
    probability: float = 1.0

    def __bool__(self) -> bool:
        return self.action is Action.CONTINUE


@final
@dataclass(frozen=True, slots=True)
class Report:
    """One measurement on the way: step, metrics, cost, and seconds since the job began."""

    step: float
    metrics: Mapping[str, float]
    cost: float | None = None
    seconds: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Suggestion:
    """A config to try, where it came from, and why.

    Parameters
    ----------
    config
        Name to value.
    origin
        Which rule proposed it: ``"sobol"``, ``"gp:log-ei"``, ``"user"``, ...
    why
        Numbers behind it, for example the predicted mean and interval.
    """

    config: Config
    origin: str = "user"
    why: Mapping[str, float] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class Job:
    """One stretch of a trial, as a scheduler proposes it.

    Parameters
    ----------
    suggestion
        The config and why; for a trial that exists, its own config.
    fidelity
        How far, how large, on what.
    trial
        Number of the trial to continue; None: a new one.
    first_step
        Step from which the job goes on (0: from the start).
    start
        Addresses of the checkpoints it starts from: none, one, or several parents'.
    final
        Whether the trial is done when the job is; otherwise it is paused.
    """

    suggestion: Suggestion
    fidelity: Fidelity = field(default_factory=Fidelity)
    trial: int | None = None
    first_step: float = 0.0
    start: tuple[str, ...] = ()
    final: bool = True


@runtime_checkable
class Channel(Protocol):
    """How a running trial speaks with whoever started it."""

    @property
    def folder(self) -> Path | None:
        """The trial's own folder; None where nothing is kept on disk."""

    @property
    def shelf(self) -> str | None:
        """Where the trial's checkpoints are kept, a path or a URL; None: nowhere."""

    def checkpoint(self, step: float) -> contextlib.AbstractContextManager[Path]:
        """Give a folder to write a checkpoint into, which is kept on a clean exit."""

    def report(self, report: Report) -> Decision:
        """Hand over a report; return the decision."""


def checkpoint_name(step: float) -> str:
    """Return the name of a step's checkpoint: ``81``, ``0.5``; no two steps share one."""
    return str(int(step)) if float(step).is_integer() else repr(float(step))


def folder_name(trial: int) -> str:
    """Return the name of a trial's folder in its study's."""
    return f"{trial:06d}"


def checkpoint_address(trial: int, step: float | None = None) -> str:
    """Return the address of a trial's checkpoint in its study; without a step: of the newest.

    For the `start` of a `Job`: one address resumes or forks, several make a soup or distil.
    """
    name = "newest" if step is None else checkpoint_name(step)
    return f"{folder_name(trial)}/checkpoints/{name}"


@final
class Trial(Mapping[str, Any]):
    """What the user's function receives: a read-only mapping of its config, and a few verbs.

    Attributes
    ----------
    number, job
        The trial's and this job's number in their study.
    config
        Name to value; ``trial["lr"]`` is ``trial.config["lr"]``.
    scale, instance, until
        The cell, the instance and the duration to run at (``trial.until["steps"]``).
    first_step, start
        The step to go on from, and the folders of the checkpoints to start from.
    """

    def __init__(
        self,
        number: int,
        config: Config,
        fidelity: Fidelity | None = None,
        *,
        job: int = -1,
        seed: int | Callable[[], int] = 0,
        first_step: float = 0,
        start: tuple[str, ...] = (),
        channel: Channel | None = None,
    ) -> None:
        fidelity = fidelity or Fidelity()
        self.number = number
        self.job = job
        self._seed = seed
        self.config: dict[str, Any] = dict(config)
        self.scale: dict[str, float] = dict(fidelity.scale)
        self.until: dict[str, float] = dict(fidelity.until)
        self.instance: Instance | None = fidelity.instance
        self.first_step = int(first_step) if float(first_step).is_integer() else first_step
        self.start: tuple[Path, ...] = tuple(Path(p) for p in start)
        self._channel = channel
        self._began = time.monotonic()

    @property
    def seed(self) -> int:
        """A seed of the trial's own, from the study's and its number."""
        if callable(self._seed):
            self._seed = self._seed()  # few look, and making one takes a while
        return self._seed

    def __getitem__(self, name: str) -> Any:
        return self.config[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.config)

    def __len__(self) -> int:
        return len(self.config)

    def __repr__(self) -> str:
        body = ", ".join(f"{k}={v!r}" for k, v in self.config.items())
        return f"Trial({self.number}: {body})"

    def report(self, step: float, *, cost: float | None = None, **metrics: Any) -> Decision:
        """Say how the run stands; return a decision that is true to go on.

        Where torch.distributed is in use, every rank calls this as often as the others: what the
        first one says counts, and all of them get the answer.

        Parameters
        ----------
        step
            How far the run is, in the study's duration key.
        cost
            What the run has cost so far, if cost is not seconds.
        metrics
            Measurements by name, for example ``loss=0.31``.

        Raises
        ------
        ObjectiveError
            If a metric is not a number.
        """
        told = from_first(lambda: asdict(self._hand_over(step, cost, metrics)))
        return Decision(**{**told, "action": Action(told["action"])})

    def _hand_over(self, step: float, cost: float | None, metrics: Mapping[str, Any]) -> Decision:
        """Check a report and hand it over."""
        values = {name: as_number(value) for name, value in metrics.items()}
        bad = [
            f"metric {n!r} is {metrics[n]!r}, not a number" for n, v in values.items() if v is None
        ]
        if as_number(step) is None:
            bad.append(f"step is {step!r}, not a number")
        spent = None if cost is None else as_number(cost)
        if cost is not None and spent is None:
            bad.append(f"cost is {cost!r}, not a number")
        if bad:
            raise ObjectiveError(bad)
        if self._channel is None:
            return Decision(trial=self.number)
        numbers = {n: v for n, v in values.items() if v is not None}
        seconds = time.monotonic() - self._began
        return self._channel.report(Report(float(step), numbers, spent, seconds))

    @property
    def folder(self) -> Path:
        """A folder of the trial's own; it stays after the trial ends."""
        if self._channel is None or self._channel.folder is None:
            raise ObjectiveError("this trial has no folder: it was not started by an executor")
        return self._channel.folder

    @property
    def shelf(self) -> str | None:
        """Where its checkpoints are kept, a path or a URL; None: nowhere."""
        return None if self._channel is None else self._channel.shelf

    def checkpoint(self, step: float) -> contextlib.AbstractContextManager[Path]:
        """Give a folder to write a checkpoint into; it appears whole, or not at all.

        The checkpoint is kept on a clean exit and dropped on an exception, so a reader never sees
        half of one. A second checkpoint at the same step replaces the first. A job that is started
        again goes on from the newest one: `step` is the `first_step` of that run. Where
        torch.distributed is in use, every rank gets the same folder, to write its share or
        nothing, and the checkpoint is kept once all of them have left it.
        """
        if self._channel is None:
            raise ObjectiveError("this trial keeps no checkpoints: no executor started it")
        return self._channel.checkpoint(step)
