"""Records of trials and jobs, as a history folds them from events."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.space import Space
from maquette.trial import Config, State

Coded = tuple[np.ndarray, np.ndarray]
"""An encoded config and its activity mask, each of shape (dimensions,)."""

# Encodes n configs: rows and activity masks, each of shape (n, dimensions).
Encode = Callable[[Sequence[Config]], Coded]


@final
class Coder:
    """Encodes the configs of records when somebody looks at one: all that wait, for singly is dear.

    Parameters
    ----------
    encode
        Encodes in the space that holds by then.
    """

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._waiting: list[TrialRecord] = []

    def add(self, trial: TrialRecord) -> None:
        """Have a config encoded when somebody looks."""
        trial.coder = self
        self._waiting.append(trial)

    def again(self, trials: Sequence[TrialRecord]) -> None:
        """Have the configs of all trials encoded anew."""
        self._waiting = list(trials)
        for trial in trials:
            trial.coded = None

    def look(self) -> None:
        """Encode what waits."""
        rows, active = self._encode([trial.config for trial in self._waiting])
        for trial, row, mask in zip(self._waiting, rows, active, strict=True):
            trial.coded = row, mask
        self._waiting.clear()


@final
@dataclass(slots=True)
class JobRecord:
    """One job as folded so far; written by `History` alone.

    `first_step` and `start` are those of its latest run. `steps` and `losses` are the curve that
    this job reported, on its own instance. `cost` and `seconds` are totals over all its runs;
    those before the latest one came to `past_cost` and `past_seconds`. `note` says what was
    otherwise than proposed when it was last started.
    """

    number: int
    trial: int
    fidelity: Fidelity
    first_step: float
    start: tuple[str, ...]
    final: bool
    basis: int
    state: State = State.QUEUED
    owner: str = ""
    token: int = 0
    starts: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    steps: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    cost: float = 0.0
    seconds: float = 0.0
    past_cost: float = 0.0
    past_seconds: float = 0.0
    note: str = ""


@final
@dataclass(slots=True)
class TrialRecord:
    """One trial as folded so far; written by `History` alone.

    Attributes
    ----------
    coded
        The encoded config and its mask; None until somebody looks at `row` or `active`.
    steps, losses
        The reported curve of the primary metric, as losses; a retried stretch replaces itself.
    loss
        The primary loss at full fidelity, averaged over instances; NaN unless the state is done.
    ended
        Number of the event that ended it; None while it is pending.
    outside
        Whether the space has been narrowed since, and its config lies outside: it is evidence, and
        nobody goes on with it.
    """

    number: int
    config: Config
    origin: str
    why: Mapping[str, float]
    scale: Mapping[str, float]
    state: State = State.QUEUED
    jobs: list[JobRecord] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    loss: float = float("nan")
    cost: float = 0.0
    seconds: float = 0.0
    message: str = ""
    began: float | None = None
    finished: float | None = None
    ended: int | None = None
    outside: bool = False
    coder: Coder | None = field(default=None, compare=False, repr=False)
    coded: Coded | None = field(default=None, compare=False, repr=False)

    @property
    def row(self) -> np.ndarray:
        """The encoded config, shape (dimensions,)."""
        return self._look()[0]

    @property
    def active(self) -> np.ndarray:
        """Which parameters are active, shape (dimensions,)."""
        return self._look()[1]

    def _look(self) -> Coded:
        if self.coded is None and self.coder is not None:
            self.coder.look()
        if self.coded is None:
            raise StudyError(f"trial {self.number} is of no history, which would encode it")
        return self.coded

    @property
    def job(self) -> JobRecord:
        """The trial's latest job."""
        return self.jobs[-1]

    @property
    def reached(self) -> float:
        """The last step reported; 0 before the first report."""
        return self.steps[-1] if self.steps else 0.0

    def loss_at(self, step: float) -> float:
        """Return the loss at the first report at or past `step`; NaN if it was not reached."""
        i = bisect_left(self.steps, step - 1e-9)
        return self.losses[i] if i < len(self.losses) else float("nan")


@final
@dataclass(frozen=True, slots=True)
class SpaceVersion:
    """One version of a study's space: its number from 1, and what changed since the one before.

    `trials` is how many trials came before it.
    `event` and `time` are those of the change; 0 and None: the space that the study began with.
    """

    number: int
    event: int
    time: float | None
    space: Space
    changes: tuple[str, ...] = ()
    trials: int = 0
