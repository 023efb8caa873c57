"""Ask and tell: the study decides what to run, the caller runs it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

from maquette.errors import ObjectiveError, StudyError, nearest
from maquette.events import Ended, Event, Proposed, Reported, Started
from maquette.fidelity import Fidelity
from maquette.history import History, JobRecord
from maquette.number import as_number
from maquette.orders import STOPPED
from maquette.rng import derived_seed
from maquette.schedule.protocol import Done, Scheduler, Wait
from maquette.search.protocol import Searcher
from maquette.store.codec import collector_paused
from maquette.store.owner import new_owner
from maquette.store.protocol import LeaseLostError, Store
from maquette.study.budget import Budget
from maquette.study.catch_up import catch_up, take_in
from maquette.study.patient import patiently
from maquette.study.proposer import Proposer
from maquette.trial import Action, Decision, Report, State, Trial

# How long `ask` waits for another process that is proposing.
ASK_SECONDS = 60.0

_TELLABLE = tuple(s.value for s in State if not s.pending)


@final
class AskTell:
    """The ask-and-tell side of one study."""

    def __init__(
        self, store: Store, study: int, history: History, methods: tuple[Searcher, Scheduler]
    ) -> None:
        self._store, self._study = store, study
        self._scheduler = methods[1]
        self._proposer = Proposer(store, study, history.problem, methods, history)
        # Drivers do not wait for asked trials: whoever asked may take weeks.
        self._owner = f"{new_owner()}/ask"
        self._asked: dict[int, _Asked] = {}

    def ask(self, history: History, n: int) -> list[Trial]:
        """Return up to `n` trials to run, at least one; queued jobs first."""
        with collector_paused(n):
            return self._ask(history, n)

    def _ask(self, history: History, n: int) -> list[Trial]:
        trials = self._begin(history, {job.number: None for job in history.queued[:n]})
        while len(trials) < n:  # one proposal is for one cell of a scale
            events = self._propose(n - len(trials), needed=not trials)
            self._take_in(history, events)
            bodies = [event.body for event in events]
            new = {body.job: body for body in bodies if isinstance(body, Proposed)}
            if not new:
                break
            trials += self._begin(history, new)
        return trials

    def _begin(self, history: History, jobs: Mapping[int, Proposed | None]) -> list[Trial]:
        """Start jobs and return their trials, except where another process was quicker."""
        events = self._store.start_all(self._study, list(jobs), self._owner, None)
        self._take_in(history, events)
        bodies = [event.body for event in events]
        return [self._trial(history, b, jobs[b.job]) for b in bodies if isinstance(b, Started)]

    def _trial(self, history: History, started: Started, proposal: Proposed | None) -> Trial:
        if proposal is not None and proposal.config is not None:
            job: Proposed | JobRecord = proposal
            config = proposal.config
            fidelity = Fidelity(proposal.until, proposal.scale, proposal.instance)
        else:
            job = history.jobs[started.job]
            config, fidelity = history.trials[job.trial].config, job.fidelity
        number = started.trial
        asked = self._asked[number] = _Asked(number, started.job, started.token, job.final)
        return Trial(
            number,
            config,
            fidelity,
            job=started.job,
            seed=partial(derived_seed, history.problem.seed, number),
            first_step=job.first_step,
            start=job.start,
            channel=_StoreChannel(partial(self._report, history, asked)),
        )

    def _take_in(self, history: History, events: Sequence[Event]) -> None:
        take_in(history, self._store, self._study, events)

    def _propose(self, n: int, *, needed: bool) -> list[Event]:
        deadline = time.monotonic() + ASK_SECONDS
        while True:
            proposal = self._proposer.propose(n, Budget(), self._owner)
            if proposal is None and time.monotonic() < deadline:
                time.sleep(0.02)
            elif proposal is None:
                raise StudyError(f"another process has been proposing for {ASK_SECONDS:g} seconds")
            elif not isinstance(proposal, Wait | Done):
                return list(proposal)
            elif needed:
                raise StudyError(
                    f"there is nothing to start: {proposal.reason or 'the scheduler has no job'}",
                    hint="tell the results of the trials asked for so far",
                )
            else:
                return []

    # --- tell ------------------------------------------------------------------------------

    def tell(
        self,
        history: History,
        trial: Trial | int | Mapping[str, Any],
        result: Any,
        state: State | str | None,
        spent: tuple[float | None, float | None],
        scale: Mapping[str, float] | None,
    ) -> None:
        """Write what came of a trial; see `Study.tell`."""
        metrics, final_state = _outcome(history, result, state)
        cost, seconds = spent
        _check_spent(cost=cost, seconds=seconds)
        if seconds is None and "seconds" in metrics:
            seconds = metrics["seconds"]
        if isinstance(trial, Mapping) and not isinstance(trial, Trial):
            catch_up(history, self._store, self._study)
            ended = Ended(-1, -1, final_state, metrics, cost, seconds or 0.0)
            self._tell_config(history, trial, ended, scale)
            return
        number = trial.number if isinstance(trial, Trial) else trial
        asked = self._asked.pop(number, None) if type(number) is int else None
        if asked is not None and not asked.reported:
            ended = asked.end(final_state, metrics, cost, seconds or 0.0)
            with suppress(LeaseLostError):  # ended or lost meanwhile: what became of it is said
                self._write(history, asked.token, ended)
                return
        catch_up(history, self._store, self._study)
        job = _pending_job(history, number)
        if job.state is State.QUEUED:
            self._store.start(self._study, job.number, self._owner, None)
            catch_up(history, self._store, self._study)
        asked = _Asked(job.trial, job.number, job.token, job.final)
        seconds = job.seconds if seconds is None else seconds
        self._write(history, job.token, asked.end(final_state, metrics, cost, seconds))

    def _write(self, history: History, token: int, body: Reported | Ended) -> None:
        """Write what a started job did."""
        tokens = {body.job: token}
        events = patiently(lambda: self._store.record(self._study, tokens, [body]))
        self._take_in(history, events)

    def _tell_config(
        self,
        history: History,
        config: Mapping[str, Any],
        ended: Ended,
        scale: Mapping[str, float] | None,
    ) -> None:
        history.space.check(config)
        cell: Mapping[str, float] = {}
        if history.problem.scale is not None:
            cell = history.problem.scale.fill(scale or {})
        elif scale:
            raise StudyError("the study declares no scale, so a told config cannot have one")
        until = history.problem.duration.until(history.problem.duration.full)
        proposed = Proposed(-1, -1, dict(config), until, cell, origin="told")
        patiently(lambda: self._store.append(self._study, [proposed, ended]))
        catch_up(history, self._store, self._study)

    def _report(self, history: History, asked: _Asked, report: Report) -> Decision:
        """Write a report; return what the scheduler makes of it."""
        asked.reported = True
        metrics = dict(report.metrics)
        body = Reported(asked.trial, asked.job, report.step, metrics, report.cost, report.seconds)
        self._write(history, asked.token, body)
        if asked.trial in history.orders.trials:
            return Decision(Action.STOP, asked.trial, STOPPED)
        for decision in self._scheduler.decide(history, asked.trial):
            if decision.trial == asked.trial:
                return decision
        return Decision(trial=asked.trial)


@final
@dataclass(slots=True)
class _Asked:
    """A job that was started here; `final`: its trial ends with it."""

    trial: int
    job: int
    token: int
    final: bool
    reported: bool = False

    def end(
        self, state: State, metrics: Mapping[str, float], cost: float | None, seconds: float
    ) -> Ended:
        """Return its end."""
        if state is State.DONE and not self.final:
            state = State.PAUSED
        return Ended(self.trial, self.job, state, metrics, cost, seconds)


@final
class _StoreChannel:
    """Takes the reports of an asked trial straight to the store."""

    def __init__(self, write: Callable[[Report], Decision]) -> None:
        self._write = write
        self.folder: Path | None = None

    @property
    def shelf(self) -> str | None:
        """None."""
        return None

    def checkpoint(self, step: float) -> AbstractContextManager[Path]:
        """Refuse: who runs the trial keeps its files."""
        raise ObjectiveError("an asked trial keeps no checkpoints: keep them where you run it")

    def report(self, report: Report) -> Decision:
        """Write the report; return what the scheduler makes of it."""
        return self._write(report)


def _outcome(
    history: History, result: Any, state: State | str | None
) -> tuple[dict[str, float], State]:
    """Return metrics and state of what was told."""
    if state is not None and str(state) not in _TELLABLE:
        raise StudyError(
            f"a trial cannot be told to be {str(state)!r}." + nearest(str(state), _TELLABLE)
        )
    if state is not None and result is None:
        if State(state) is State.DONE:
            raise StudyError("a trial that is done needs a result")
        return {}, State(state)
    metrics = history.objective.read(result)
    if state is not None:
        return metrics, State(state)
    loss = history.objective.loss(metrics)
    return metrics, State.DONE if math.isfinite(loss) else State.DIVERGED


def _check_spent(**spent: float | None) -> None:
    problems = []
    for name, value in spent.items():
        number = 0.0 if value is None else as_number(value)
        if number is None or not 0 <= number < math.inf:
            problems.append(f"{name} must be a number, zero or more, not {value!r}")
    if problems:
        raise StudyError(problems)


def _pending_job(history: History, number: int) -> JobRecord:
    given: object = number
    if isinstance(given, bool) or not isinstance(given, int):
        raise StudyError(f"tell a trial, its number or a config, not {given!r}")
    if not 0 <= number < len(history.trials):
        raise StudyError(f"there is no trial {number}; the study has {len(history.trials)}")
    record = history.trials[number]
    if not record.state.pending:
        raise StudyError(f"trial {number} has ended ({record.state}); a result is told once")
    if record.state is State.PAUSED:
        raise StudyError(f"trial {number} is paused; ask for it again before telling more")
    return record.job
