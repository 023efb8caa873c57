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
from maquette.schedule.stretch import full, go_on, next_instance, paused, propose, tuning
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
        until, instances = full(history), tuning(history)
        jobs = []
        for trial in paused(history)[:n]:
            instance = next_instance(history, trial)
            jobs.append(go_on(trial, until, instance, last=instance in (None, instances[-1])))
        if len(jobs) < n:
            last = len(instances) == 1
            new = propose(history, searcher, n - len(jobs), rng)
            jobs += [Job(suggestion, at, final=last) for suggestion, at in new]
        return jobs

    def decide(self, history: History, trial: int) -> Sequence[Decision]:
        """Return no decision: every trial goes on."""
        return ()
