"""Replayed objectives: what a run would have reported, and when."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, final

from maquette.errors import ObjectiveError
from maquette.trial import Report, State, Trial


@final
@dataclass(frozen=True, slots=True)
class End:
    """How a replayed job ends.

    Parameters
    ----------
    result
        A number (the primary metric) or a mapping of metrics; None: those of the last report.
    seconds
        When, since the job began; None: at the last report.
    cost
        What the job cost, in the study's unit; None: as last reported, or its seconds.
    state
        `State.DONE`, or how it failed: ``State.OOM``, ``State.CRASHED``, ...
    message
        Why it failed.
    """

    result: Any = None
    seconds: float | None = None
    cost: float | None = None
    state: State = State.DONE
    message: str = ""

    def __post_init__(self) -> None:
        if self.state.pending:
            raise ObjectiveError(f"a job cannot end as {self.state.value!r}")


Moment = Report | End

# What a simulated job does: its reports in order, with seconds and cost since the job began, and
# at most one End. It is read lazily, as far as the scheduler lets the job run.
Replay = Callable[[Trial], Iterable[Moment]]


def stretch(curve: Iterable[Report], trial: Trial) -> Iterator[Report]:
    """Cut from a whole learning curve the part that one job runs.

    Parameters
    ----------
    curve
        Reports of a run from step 0, in order, with seconds and cost since step 0.
    trial
        The job: it goes on from its `first_step`, to the duration that it was given.

    Returns
    -------
    Iterator of Report
        Those in (first_step, until], with seconds and cost since the job began.
    """
    until = next(iter(trial.until.values()), math.inf)
    seconds = cost = 0.0
    for report in curve:
        if report.step > until:
            return
        if report.step <= trial.first_step:
            seconds, cost = report.seconds, report.cost or 0.0
        elif trial.first_step:
            since = None if report.cost is None else report.cost - cost
            yield replace(report, cost=since, seconds=report.seconds - seconds)
        else:
            yield report
