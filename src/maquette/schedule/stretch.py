"""What schedulers share: new trials, the next stretch of a paused one, its losses by instance."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence

import numpy as np

from maquette.fidelity import Fidelity
from maquette.history import History, JobRecord, TrialRecord
from maquette.instances import Instance
from maquette.schedule.cells import next_cells
from maquette.search.protocol import Searcher
from maquette.trial import Job, State, Suggestion, checkpoint_address


def tuning(history: History) -> Sequence[Instance | None]:
    """Return the instances that every trial is measured on; ``[None]`` where none are declared."""
    instances = history.problem.instances
    return (None,) if instances is None else instances.tune


def full(history: History) -> dict[str, float]:
    """Return the full duration; empty where none is declared."""
    duration = history.problem.duration
    return duration.until(duration.full)


def propose(
    history: History, searcher: Searcher, n: int, rng: np.random.Generator
) -> list[tuple[Suggestion, Fidelity]]:
    """Ask the searcher for up to `n` configs, all in the cell that comes next.

    Each is to be run at the fidelity returned: the full duration, on the first tuning instance.
    """
    cell, run = next_cells(history, n)
    at = Fidelity(full(history), cell, tuning(history)[0])
    return [(suggestion, at) for suggestion in searcher.suggest(history, at, run, rng)]


def paused(history: History) -> list[TrialRecord]:
    """Return the trials that wait for their next stretch, in order of proposal.

    Those that lie outside a space that was narrowed wait for nothing.
    """
    pending = history.pending
    return [t for t in pending if t.state is State.PAUSED and not t.outside]


def go_on(
    trial: TrialRecord, until: Mapping[str, float], instance: Instance | None, *, last: bool
) -> Job:
    """Return the job that takes a trial on, on `instance`, up to `until`.

    On the instance that the trial was last measured on it goes on from its checkpoint, addressed
    within the folder of the study's trials as ``"000012/checkpoints/81"``; on another one it
    starts afresh.
    """
    same = trial.job.fidelity.instance == instance
    step = next(iter(trial.job.fidelity.until.values()), 0.0) if same else 0.0
    return Job(
        Suggestion(trial.config, trial.origin, trial.why),
        Fidelity(until, trial.scale, instance),
        trial=trial.number,
        first_step=step,
        start=(checkpoint_address(trial.number, step),) if step else (),
        final=last,
    )


def on_next_instance(history: History, trial: TrialRecord) -> Job:
    """Return the job that measures a trial, at full duration, on its next tuning instance."""
    instance = _next_instance(history, trial)
    last = instance in (None, tuning(history)[-1])
    return go_on(trial, full(history), instance, last=last)


def _next_instance(history: History, trial: TrialRecord) -> Instance | None:
    """Return the first tuning instance that the trial was not measured on at full duration."""
    need = history.problem.duration.full
    key = history.problem.duration.key
    seen = {
        job.fidelity.instance
        for job in trial.jobs
        if job.state in (State.PAUSED, State.DONE)
        and (key is None or job.fidelity.until.get(key, math.inf) >= need)
    }
    return next((i for i in tuning(history) if i not in seen), None)


def loss_at(
    history: History, trial: TrialRecord, step: float, instance: Instance | None
) -> float | None:
    """Return the loss with which a trial passed `step` on `instance`; None if it has not.

    The first report at or past the step counts; a job that was to end there without reporting
    counts with its result. A loss that is not a number ranks last: it is returned as infinity.
    """
    for job in trial.jobs:
        if job.fidelity.instance == instance:
            loss = _loss_of_job(history, job, step)
            if loss is not None:
                return loss if math.isfinite(loss) else math.inf
    return None


def _loss_of_job(history: History, job: JobRecord, step: float) -> float | None:
    i = bisect.bisect_left(job.steps, step - 1e-9)
    if i < len(job.steps):
        return job.losses[i]
    ended = job.state in (State.PAUSED, State.DONE) and job.metrics
    key = history.problem.duration.key
    if ended and key is not None and job.fidelity.until.get(key, math.inf) >= step - 1e-9:
        return history.objective.loss(job.metrics)
    return None
