"""Full fidelity: every trial runs to its end, on every tuning instance.

Where a scale is declared, trials are spread over the proxy cells (`maquette.schedule.cells`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.history import History
from maquette.schedule.protocol import Done, Wait
from maquette.schedule.stretch import on_next_instance, paused, propose, tuning
from maquette.search.protocol import Searcher
from maquette.trial import Decision, Job


@final
@dataclass(frozen=True, slots=True)
class Full:
    """One job per trial and tuning instance, at full duration; nothing is ever stopped."""

    def next(
        self, history: History, searcher: Searcher, n: int, rng: np.random.Generator
    ) -> Sequence[Job] | Wait | Done:
        """Return the next instances of paused trials, then new trials; at most `n` jobs."""
        jobs = [on_next_instance(history, trial) for trial in paused(history)[:n]]
        if len(jobs) < n:
            alone = len(tuning(history)) == 1
            new = propose(history, searcher, n - len(jobs), rng)
            jobs += [Job(suggestion, at, final=alone) for suggestion, at in new]
        return jobs

    def decide(self, history: History, trial: int) -> Sequence[Decision]:
        """Return no decision: every trial goes on."""
        return ()
