"""What a run would do, and cost, without doing it: the study simulated from where it stands.

The study is copied into memory with a virtual clock. Its own searcher and scheduler propose what
would start first. From there on the same scheduler runs on virtual workers, many times over:
configs and losses are drawn at random, and what jobs cost is drawn from the law that those which
have ended obey. Nothing is trained, and nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import final

import numpy as np

from maquette.errors import StudyError
from maquette.events import Event
from maquette.history import History, JobRecord
from maquette.number import is_count
from maquette.rng import generator
from maquette.schedule.protocol import Scheduler
from maquette.search.protocol import Searcher
from maquette.simulate.clock import Clock
from maquette.simulate.costs import OBSERVED, CostLaw, features, law
from maquette.simulate.forecast import Forecast, Plan, Proposal, Rung
from maquette.simulate.replay import End, Moment
from maquette.simulate.runner import simulate
from maquette.store.memory import MemoryStore
from maquette.study.budget import Budget
from maquette.study.study import Study
from maquette.trial import Report, State, Trial

# Trials simulated in all, so that a plan takes seconds, and how often at least and at most.
_TRIALS, _LEAST, _MOST = 6_000, 4, 48
# Names the streams of random numbers; any constants would do.
_LAWS, _LOSSES = 7_001, 7_002
# The most that a plan lists of what would start first.
_FIRST = 10
MOST_TRIALS = 5000  # a few seconds of simulation

_How = tuple[Budget, int, float | None, Scheduler, float]
Laws = tuple[CostLaw | None, CostLaw | None]


def plan(
    study: Study,
    budget: Budget,
    where: tuple[int, str],
    methods: tuple[Searcher, Scheduler],
    timeout: float | None = None,
) -> Plan:
    """Return what a run with this budget would do.

    Parameters
    ----------
    study
        Where it stands is where the plan begins; nothing is written to it.
    budget
        Totals over the study's whole life.
    where
        Jobs that run at once, and the executor's name.
    methods
        The study's searcher and scheduler.
    timeout
        Seconds that a job may take.

    Raises
    ------
    StudyError
        If the budget has no bound.
    """
    workers, executor = where
    if not is_count(workers):
        raise StudyError(f"workers must be a positive whole number, not {workers!r}")
    if budget == Budget():
        raise StudyError("a budget is needed", hint="for example budget=50")
    history, row = study.history, study.store.find(study.name)
    bounded = _bounded(budget, len(history.trials))
    events = study.store.read(row.id)
    declared = history.objective.cost is not None
    laws = (law(history, "seconds"), law(history, "cost") if declared else None)
    how = (bounded, workers, timeout, methods[1], _last(events))
    runs = []
    for i in range(_repeats(history, budget, laws)):
        runs.append(_simulate(_copy(study, events, "random", methods[1]), how, laws, i))
        if budget.trials is None and runs[-1].trials >= MOST_TRIALS:
            raise _too_long("this budget lasts for")
    prices = laws[1] if declared else laws[0]
    return Plan(
        study=study.name,
        searcher=str(row.spec.get("searcher")),
        scheduler=str(row.spec.get("scheduler")),
        workers=workers,
        executor=executor,
        budget=asdict(budget),
        so_far=len(history.trials),
        trials=Forecast.of([run.trials for run in runs]),
        jobs=Forecast.of([run.jobs for run in runs]),
        full_runs=Forecast.of([run.full_runs for run in runs]),
        rungs=_rungs(runs, history),
        seconds=Forecast.of([run.seconds for run in runs]) if laws[0] else None,
        cost=Forecast.of([run.cost for run in runs]) if prices else None,
        wall=Forecast.of([run.wall for run in runs]) if laws[0] else None,
        evidence=sum(1 for job in history.jobs if job.state in OBSERVED and job.seconds > 0),
        proposals=_proposals(_copy(study, events, *methods), history, budget, workers),
    )


def _bounded(budget: Budget, known: int) -> Budget:
    """Return the budget that is simulated, which always ends."""
    if budget.trials is not None and budget.trials - known > MOST_TRIALS:
        raise _too_long(f"a budget of {budget.trials:,} trials is")
    most = known + MOST_TRIALS
    return replace(budget, trials=most if budget.trials is None else budget.trials)


def _too_long(what: str) -> StudyError:
    return StudyError(
        f"{what} more than {MOST_TRIALS:,} new trials, and a plan simulates no more",
        hint="plan a smaller budget of trials; seconds and cost grow in proportion",
    )


def _repeats(history: History, budget: Budget, laws: Laws) -> int:
    """Return how often to simulate: not at all where no known bound would end it."""
    prices = laws[1] if history.objective.cost else laws[0]
    bounded = budget.trials or (budget.seconds and laws[0]) or (budget.cost and prices)
    if not bounded:
        return 0
    if laws == (None, None):
        return 1 if budget.trials else 0
    return int(np.clip(_TRIALS // max(1, budget.trials or 2 * len(history.trials)), _LEAST, _MOST))


def _copy(
    study: Study, events: Sequence[Event], searcher: str | Searcher, scheduler: Scheduler
) -> Study:
    """Return the study as it stands, in memory, with a virtual clock."""
    clock = Clock()
    clock.advance(_last(events))
    store = MemoryStore(clock=clock)
    store.take_over(study.name, study.store.find(study.name).spec, events)
    problem = study.history.problem
    return Study(
        study.name,
        problem.space,
        store=store,
        objective=problem.objective,
        searcher=searcher,
        scheduler=scheduler,
        fidelity=problem.duration.to_json(),
        scale=problem.scale,
        instances=problem.instances,
        seed=problem.seed,
    )


def _last(events: Sequence[Event]) -> float:
    return max((event.time for event in events), default=0.0)


@final
@dataclass(frozen=True, slots=True)
class _Run:
    """What one simulated run did; `ends` counts jobs by the cell and the step that they reached."""

    trials: int
    jobs: int
    full_runs: float
    seconds: float
    cost: float
    wall: float
    ends: Counter[tuple[tuple[float, ...], float | None]]


def _simulate(study: Study, how: _How, laws: Laws, number: int) -> _Run:
    budget, workers, timeout, scheduler, began = how
    before = study.history
    known = len(before.trials)
    ended = {job.number for job in before.jobs if job.state not in (State.QUEUED, State.RUNNING)}
    seconds, cost = before.seconds, before.cost
    guess = _Guess(before, scheduler, laws, number)
    done = simulate(study, guess, budget, workers, timeout=timeout)
    history = study.history
    jobs = [job for job in history.jobs if job.number not in ended and job.starts]
    reached = [_reached(history, job) for job in jobs]
    full = history.problem.duration.full
    return _Run(
        len(history.trials) - known,
        len(jobs),
        sum(
            1.0 if step is None else (step - job.first_step) / full
            for job, step in zip(jobs, reached, strict=True)
        ),
        history.seconds - seconds,
        history.cost - cost,
        done.seconds - began,
        Counter(
            (tuple(job.fidelity.scale.values()), step)
            for job, step in zip(jobs, reached, strict=True)
        ),
    )


def _reached(history: History, job: JobRecord) -> float | None:
    """Return the step at which a job ended; None where no duration is declared."""
    key = history.problem.duration.key
    if key is None:
        return None
    if job.state is State.STOPPED and job.steps:
        return job.steps[-1]
    return job.fidelity.until.get(key, history.problem.duration.full)


@final
class _Guess:
    """What jobs do in one simulation: they cost what one drawn law says, and lose by chance."""

    def __init__(self, history: History, scheduler: Scheduler, laws: Laws, number: int) -> None:
        self._history, self._number = history, number
        self._rng = generator(history.problem.seed, _LAWS, number)
        self._laws = [law and law.draw(self._rng) for law in laws]
        duration, eta = history.problem.duration, float(getattr(scheduler, "eta", 2.0))
        self._rungs = [duration.least] if duration.axes else []
        while self._rungs and self._rungs[-1] * eta < duration.full:
            self._rungs.append(self._rungs[-1] * eta)

    def __call__(self, trial: Trial) -> Iterator[Moment]:
        """Yield reports at the rungs, then the end."""
        key = self._history.problem.duration.key
        begin, end = trial.first_step, 1.0 if key is None else trial.until[key]
        seconds = self._price(0, trial, end - begin) or end - begin
        cost = self._price(1, trial, end - begin)
        luck = generator(self._history.problem.seed, _LOSSES, self._number, trial.number)
        metrics = self._metrics(float(luck.standard_normal()))
        for step in self._rungs:
            if begin < step < end:
                part = (step - begin) / (end - begin)
                yield Report(step, metrics, None if cost is None else cost * part, seconds * part)
        yield End(metrics, seconds, cost)

    def _price(self, which: int, trial: Trial, ran: float) -> float | None:
        drawn = self._laws[which]
        if drawn is None:
            return None
        coefficients, sigma = drawn
        key = self._history.problem.duration.key or ""
        x = features(self._history, {key: ran}, trial.scale)
        return float(np.exp(coefficients @ x + sigma * self._rng.standard_normal()))

    def _metrics(self, loss: float) -> dict[str, float]:
        objective = self._history.objective
        names = dict.fromkeys((*objective.constraints, *objective.metrics), loss)
        return {**names, objective.primary: objective.value(loss)}


def _rungs(runs: Sequence[_Run], history: History) -> tuple[Rung, ...]:
    """Return where jobs end, on average, from the smallest cell and shortest duration on."""
    total: Counter[tuple[tuple[float, ...], float | None]] = Counter()
    for run in runs:
        total.update(run.ends)
    key = history.problem.duration.key
    return tuple(
        Rung(
            {} if key is None or step is None else {key: step},
            dict(zip(history.axes, cell, strict=True)) if cell else {},
            count / len(runs),
        )
        for (cell, step), count in sorted(total.items(), key=lambda e: (e[0][0], e[0][1] or 0.0))
    )


def _proposals(
    study: Study, history: History, budget: Budget, workers: int
) -> tuple[Proposal, ...]:
    """Return what the study's own searcher and scheduler would start first."""
    elsewhere = {job.trial for job in history.running}
    waiting = len(history.queued) + len(history.orders.queue)
    most = min(workers, _FIRST, budget.room(history) + waiting) + len(elsewhere)
    if most < 1 or (most == len(elsewhere) and elsewhere):
        return ()
    trials: list[Trial] = []
    try:
        while len(trials) < most:
            trials += study.ask(int(most) - len(trials))
    except StudyError:
        pass  # the scheduler waits for results
    records = study.history.trials
    return tuple(
        Proposal(t.number, dict(t.config), dict(t.scale), dict(t.until), records[t.number].origin)
        for t in trials
        if t.number not in elsewhere
    )
