"""ASHA: asynchronous successive halving, by stopping or by promotion.

Rungs stand at r_k = r_min eta^k up to the full duration R. Trials are ranked at a rung among those
of the same cell and instance, as results come in; no worker ever waits for a rung to fill.

References
----------
.. [1] L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-tzur, M. Hardt, B. Recht and
       A. Talwalkar. A System for Massively Parallel Hyperparameter Tuning. MLSys 2020.
.. [2] Y. Li, Y. Shen, H. Jiang, W. Zhang, J. Li, J. Liu, C. Zhang and B. Cui. Hyper-Tune: Towards
       Efficient Hyper-parameter Tuning at Scale. PVLDB 15(6), 2022. (The bound on promotions.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.errors import StudyError, nearest
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.rng import generator
from maquette.schedule.protocol import Done, Wait
from maquette.schedule.ranking import arrived, ranking
from maquette.schedule.rungs import cutoff, rungs
from maquette.schedule.stretch import go_on, loss_at, on_next_instance, propose, tuning
from maquette.search.protocol import Searcher
from maquette.trial import Action, Decision, Job, State

MODES = ("stop", "promote")
# Names the stream of random numbers that draws brackets; any constant would do.
_BRACKETS = 1729


@final
@dataclass(frozen=True, slots=True)
class ASHA:
    """Asynchronous successive halving [1].

    Parameters
    ----------
    eta
        Halving factor, > 1: one trial in eta goes on at each rung.
    mode
        ``"stop"``: a trial runs on until it passes a rung with a loss above the 1/eta quantile
        there; needs no checkpoints. ``"promote"``: a trial pauses at each rung, and goes on from
        its checkpoint once it is among the best; at most one in eta is promoted, however late the
        good ones come [2].
    brackets
        How many brackets share the trials; in bracket s the first rung is r_s. More than one
        guards against rankings that change late.

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    eta: float = 3.0
    mode: str = "stop"
    brackets: int = 1

    def __post_init__(self) -> None:
        problems = []
        if not (math.isfinite(self.eta) and self.eta > 1):
            problems.append(f"eta must be a number above 1, not {self.eta!r}")
        if self.mode not in MODES:
            problems.append(f"unknown mode {self.mode!r}." + nearest(str(self.mode), MODES))
        if self.brackets < 1:
            problems.append(f"brackets must be at least 1, not {self.brackets!r}")
        if problems:
            raise StudyError(problems)

    def next(
        self, history: History, searcher: Searcher, n: int, rng: np.random.Generator
    ) -> Sequence[Job] | Wait | Done:
        """Return promotions and further instances first, then new trials; at most `n` jobs."""
        levels = rungs(history.problem.duration, self.eta)
        # Trials that reached full duration go on to their next instance.
        ready = arrived(history, levels[-1])
        jobs = [on_next_instance(history, trial) for trial in ready[:n]]
        if self.mode == "promote":
            jobs += self._promotions(history, levels, n - len(jobs))
        if len(jobs) < n:
            first = len(history.trials)
            new = propose(history, searcher, n - len(jobs), rng)
            for number, (suggestion, at) in enumerate(new, first):
                level = levels[self.bracket(history, number, levels)]
                jobs.append(self._first(history, Job(suggestion, at), level))
        return jobs

    def decide(self, history: History, trial: int) -> Sequence[Decision]:
        """Return a stop if the trial's last report passed a rung among the worse; else nothing."""
        record = history.trials[trial]
        if self.mode != "stop" or record.state is not State.RUNNING or not record.job.steps:
            return ()
        steps, instance = record.job.steps, record.job.fidelity.instance
        before = steps[-2] if len(steps) > 1 else record.job.first_step
        levels = rungs(history.problem.duration, self.eta)
        for rung in levels[self.bracket(history, trial, levels) : -1]:
            if not before < rung - 1e-9 <= steps[-1]:
                continue
            ranked = ranking(history, rung, record.scale, instance).losses
            bar, loss = cutoff(ranked, self.eta), loss_at(history, record, rung, instance)
            if bar is not None and loss is not None and loss > bar:
                reason = (
                    f"loss {loss:.6g} at {rung:g} is above {bar:.6g}, "
                    f"the best 1/{self.eta:g} of {len(ranked)} there"
                )
                return (Decision(Action.STOP, trial, reason),)
        return ()

    def bracket(self, history: History, trial: int, levels: Sequence[float]) -> int:
        """Return the bracket s of a trial: a draw in Hyperband's proportions, keyed by number."""
        K = len(levels)
        count = min(self.brackets, K)
        if count == 1:
            return 0
        share = np.array([K / (K - s) * self.eta**-s for s in range(count)])
        u = generator(history.problem.seed, _BRACKETS, trial).random()
        return int(np.searchsorted(np.cumsum(share / share.sum()), u, side="right"))

    def _first(self, history: History, job: Job, level: float) -> Job:
        """Return a new trial's first job: to the end, or to its first rung."""
        duration = history.problem.duration
        alone = len(tuning(history)) == 1
        if self.mode == "stop" or level >= duration.full:
            return Job(job.suggestion, job.fidelity, final=alone)
        at = Fidelity(duration.until(level), job.fidelity.scale, job.fidelity.instance)
        return Job(job.suggestion, at, final=False)

    def _promotions(self, history: History, levels: Sequence[float], most: int) -> list[Job]:
        """Return the best promotable trial of every rung, cell by cell, from the top rung down."""
        jobs: list[Job] = []
        scale = history.problem.scale
        instance = tuning(history)[0]
        for k in range(len(levels) - 2, -1, -1):
            for cell in reversed(scale.cells) if scale else [{}]:
                ranked = ranking(history, levels[k], cell, instance)
                for number in ranked.promotable(self.eta, most - len(jobs)):
                    trial = history.trials[number]
                    top = k == len(levels) - 2
                    until = history.problem.duration.until(levels[k + 1])
                    last = top and len(tuning(history)) == 1
                    jobs.append(go_on(trial, until, instance, last=last))
        return jobs
