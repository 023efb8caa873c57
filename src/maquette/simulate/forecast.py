"""What a plan says: how much would run, what it would cost, and what would start first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np


@final
@dataclass(frozen=True, slots=True)
class Forecast:
    """A number that is not known yet: its mean, and the interval that holds it with 90 %."""

    mean: float
    interval: tuple[float, float]

    @classmethod
    def of(cls, draws: Sequence[float]) -> Forecast | None:
        """Return the forecast of equally likely values; None if there are none."""
        if not draws:
            return None
        low, high = np.quantile(draws, (0.05, 0.95))
        return cls(float(np.mean(draws)), (float(low), float(high)))


@final
@dataclass(frozen=True, slots=True)
class Rung:
    """How many jobs would end at a duration, in a cell of the scale; a mean over simulations."""

    until: Mapping[str, float]
    scale: Mapping[str, float]
    jobs: float


@final
@dataclass(frozen=True, slots=True)
class Proposal:
    """A job that would start first."""

    trial: int
    config: Mapping[str, Any]
    scale: Mapping[str, float]
    until: Mapping[str, float]
    origin: str


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do from here on, to the end of its budget.

    Attributes
    ----------
    study, searcher, scheduler, workers, executor
        What would run, and where.
    budget
        Totals over the study's life: trials, seconds, cost; None: no bound.
    so_far
        Trials that there are.
    trials, jobs
        New trials, and jobs of old and new ones; None: the budget does not tell before the first
        trial has ended.
    full_runs
        The jobs' durations, summed, in full durations.
    rungs
        Where they would end.
    seconds, cost
        What they would take, summed, and cost in the study's unit; None: unknown before the first
        job has ended.
    wall
        Seconds from start to end, on so many workers that never wait for a proposal.
    evidence
        Ended jobs that the forecast rests on.
    proposals
        What would start first.
    """

    study: str
    searcher: str
    scheduler: str
    workers: int
    executor: str
    budget: Mapping[str, float | None]
    so_far: int
    trials: Forecast | None
    jobs: Forecast | None
    full_runs: Forecast | None
    rungs: tuple[Rung, ...]
    seconds: Forecast | None
    cost: Forecast | None
    wall: Forecast | None
    evidence: int
    proposals: tuple[Proposal, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self)

    def __str__(self) -> str:
        bounds = ", ".join(f"{k} {_short(v)}" for k, v in self.budget.items() if v is not None)
        lines = [
            f"{self.study}: {self.so_far} trials so far; budget: {bounds}",
            f"  searcher {self.searcher}, scheduler {self.scheduler}, "
            f"{self.workers} workers, executor {self.executor}",
            self._work(),
            *(f"    {_rung(rung)}" for rung in self.rungs),
            self._price(),
            *self._first(),
            "nothing was run or written",
        ]
        return "\n".join(lines)

    def _work(self) -> str:
        if self.trials is None or self.jobs is None or self.full_runs is None:
            return "  to run: unknown before the first trial has ended; bound the trials to see"
        count = f"{_range(self.trials)} new trials, {_range(self.jobs)} jobs"
        return f"  to run: {count}, as long as {_range(self.full_runs)} full runs"

    def _price(self) -> str:
        if self.seconds is None or self.wall is None:
            return "  cost: unknown before the first trial has ended"
        parts = [
            f"{_range(self.seconds, _time)} of computing",
            f"{_range(self.wall, _time)} from start to end",
        ]
        if self.cost is not None and self.cost != self.seconds:
            parts.insert(0, f"cost {_range(self.cost)}")
        jobs = "1 ended job" if self.evidence == 1 else f"{self.evidence} ended jobs"
        return f"  {', '.join(parts)} (90 %, from {jobs})"

    def _first(self) -> list[str]:
        if not self.proposals:
            return ["  nothing would start"]
        lines = ["  first:"]
        for job in self.proposals:
            values = {**job.scale, **job.until, **job.config}
            settings = ", ".join(f"{k} {_short(v)}" for k, v in values.items())
            lines.append(f"    trial {job.trial} ({job.origin}): {settings}")
        return lines


def _rung(rung: Rung) -> str:
    at = {**rung.scale, **rung.until}
    where = ", ".join(f"{k} {_short(v)}" for k, v in at.items()) or "in full"
    return f"{where}: {_short(round(rung.jobs, 1))} jobs"


def _range(forecast: Forecast, say: Any = None) -> str:
    say = say or (lambda value: _short(round(value, 1) if value >= 10 else value))
    mean, (low, high) = say(forecast.mean), map(say, forecast.interval)
    return mean if low == high else f"{mean} ({low} to {high})"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{_short(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.3g}"
    return str(value)
