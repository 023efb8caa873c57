"""What every scheduler is: a function of the history and a searcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np

from maquette.history import History
from maquette.search.protocol import Searcher
from maquette.trial import Decision, Job


@final
@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to start now: results are needed first."""

    reason: str = ""


@final
@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to start ever again."""

    reason: str = ""


@runtime_checkable
class Scheduler(Protocol):
    """Chooses how far each trial goes; both methods are functions of the history."""

    def next(
        self, history: History, searcher: Searcher, n: int, rng: np.random.Generator
    ) -> Sequence[Job] | Wait | Done:
        """Return up to `n` jobs to start (at least one), or why there are none."""

    def decide(self, history: History, trial: int) -> Sequence[Decision]:
        """Return decisions after a report of `trial`; they may concern other trials too."""
