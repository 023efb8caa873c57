"""What each event does to the record of its trial and of its job, and to nothing else.

`History` keeps what concerns the whole study; here a trial is a function of its own events, so that
it can be folded again, alone, whenever it is looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from maquette.events import Ended, Proposed, Reported, Started
from maquette.fidelity import Fidelity
from maquette.objective import Objective
from maquette.records import JobRecord, TrialRecord
from maquette.trial import State

Spent = tuple[float, float]
"""By how much a trial's cost and seconds grew."""


def new_trial(body: Proposed) -> TrialRecord:
    """Return the record of a proposed trial."""
    return TrialRecord(body.trial, body.config or {}, body.origin, body.why, body.scale)


def new_job(body: Proposed, trial: TrialRecord) -> JobRecord:
    """Return the record of a proposed job, and add it to its trial."""
    fidelity = Fidelity(body.until, body.scale, body.instance)
    job = JobRecord(
        body.job, body.trial, fidelity, body.first_step, body.start, body.final, body.basis
    )
    trial.jobs.append(job)
    return job


def start(trial: TrialRecord, job: JobRecord, body: Started, time: float) -> None:
    """A job was started, or taken over while it ran on."""
    job.owner, job.token = body.owner, body.token
    job.state = trial.state = State.RUNNING
    if body.adopted:
        return
    job.note = body.note
    job.past_cost, job.past_seconds = job.cost, job.seconds
    job.starts += 1
    if body.first_step is not None:
        job.first_step = body.first_step
    if body.start is not None:
        job.start = body.start
    if trial.began is None:
        trial.began = time
    for curve in (trial, job):
        keep = bisect_right(curve.steps, job.first_step) if job.first_step else 0
        del curve.steps[keep:], curve.losses[keep:]


def report(trial: TrialRecord, job: JobRecord, body: Reported, objective: Objective) -> Spent:
    """A running job reported."""
    trial.metrics.update(body.metrics)
    if objective.primary in body.metrics:
        loss = objective.loss(body.metrics)
        for curve in (trial, job):
            curve.steps.append(body.step)
            curve.losses.append(loss)
    return charge(trial, job, body.cost, body.seconds, objective)


def charge(
    trial: TrialRecord, job: JobRecord, cost: float | None, seconds: float, objective: Objective
) -> Spent:
    """Raise the job's cost and seconds to those of this run, on top of its earlier runs.

    A run never gets cheaper, and what a run has cost that was lost is spent all the same.
    """
    more = max(0.0, job.past_seconds + seconds - job.seconds)
    dearer = max(0.0, job.past_cost + _priced(cost, seconds, objective) - job.cost)
    job.seconds += more
    trial.seconds += more
    job.cost += dearer
    trial.cost += dearer
    return dearer, more


def spent(body: Ended, objective: Objective) -> Spent:
    """Return what `end` gives for a job that ran once and never reported."""
    cost = _priced(_told_cost(body, objective), body.seconds, objective)
    return max(0.0, cost), max(0.0, body.seconds)


def _priced(cost: float | None, seconds: float, objective: Objective) -> float:
    """Return a run's cost: its seconds, unless the study has a cost of its own."""
    return seconds if cost is None and objective.cost is None else (cost or 0.0)


def _told_cost(body: Ended, objective: Objective) -> float | None:
    """Return the cost that an end names; it may be one of its metrics."""
    if body.cost is None and objective.cost is not None:
        return body.metrics.get(objective.cost)
    return body.cost


def end(trial: TrialRecord, job: JobRecord, body: Ended, objective: Objective) -> Spent:
    """A job ended; the trial with it, unless its state is pending."""
    grown = charge(trial, job, _told_cost(body, objective), body.seconds, objective)
    job.metrics = body.metrics
    trial.metrics.update(body.metrics)
    trial.message = body.message
    job.state = trial.state = body.state
    return grown


def final_losses(trial: TrialRecord, objective: Objective) -> Sequence[float]:
    """Average the losses over the instances measured at full fidelity; the last one counts."""
    if len(trial.jobs) == 1:
        return objective.losses(trial.jobs[0].metrics or trial.metrics)
    measured = {job.fidelity.instance: job.metrics for job in trial.jobs if job.metrics}
    if len(measured) < 2:
        return objective.losses(next(iter(measured.values()), trial.metrics))
    losses = [objective.losses(metrics) for metrics in measured.values()]
    mean: list[float] = np.mean(losses, axis=0).tolist()
    return mean
