"""Syne Tune's searchers and schedulers, through the callbacks that its own tuner calls."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence
from typing import Any, final

from syne_tune import config_space as cs
from syne_tune.backend.trial_status import Trial
from syne_tune.optimizer import baselines

from .base import Parameter, Problem, Proposal, Result, UnsupportedError

DISTRIBUTIONS = ("syne-tune",)

_SEARCHERS = {"bore": "BORE", "kde": "TPE", "rea": "REA"}
_SCHEDULERS = {"asha": "ASHA", "asha-bore": "ASHABORE", "bohb": "BOHB"}
# Trials carry a time of creation, which nothing reads.
_EPOCH = datetime.datetime(2000, 1, 1)


def start(problem: Problem) -> Searching | Scheduling:
    """Return an adapter for bore, kde, rea (full runs), asha, asha-bore or bohb."""
    logging.disable(logging.WARNING)
    if problem.method in _SEARCHERS:
        return Searching(problem)
    if problem.method in _SCHEDULERS:
        return Scheduling(problem)
    raise UnsupportedError(f"syne-tune has no method {problem.method}")


@final
class Searching:
    """A scheduler of full runs; conditional spaces are flattened."""

    def __init__(self, problem: Problem) -> None:
        self._space = problem.space
        domains = {p.name: _domain(p) for p in problem.space}
        made = getattr(baselines, _SEARCHERS[problem.method])
        self._scheduler = made(domains, metric="loss", random_seed=problem.seed)
        self._trials: dict[int, Trial] = {}

    def ask(self, trial: int) -> Proposal | None:
        """Return the next suggestion."""
        return _ask(self._scheduler, self._trials, trial, self._space)

    def tell(self, trial: int, result: Result) -> None:
        """Complete the trial, or say that it failed."""
        found = self._trials.pop(trial)
        if result.loss is None:
            self._scheduler.on_trial_error(found)
            return
        told = {"loss": result.loss}
        self._scheduler.on_trial_result(found, told)
        self._scheduler.on_trial_complete(found, told)


@final
class Scheduling:
    """A scheduler that stops runs early; conditional spaces are flattened."""

    def __init__(self, problem: Problem) -> None:
        if problem.duration is None:
            raise UnsupportedError(
                f"{problem.method} needs a learning curve, which this task has not"
            )
        least, full = (int(x) for x in problem.duration)
        self._space = problem.space
        domains = {p.name: _domain(p) for p in problem.space}
        self._scheduler = getattr(baselines, _SCHEDULERS[problem.method])(
            domains,
            metric="loss",
            time_attr="step",
            max_t=full,
            grace_period=max(1, least),
            random_seed=problem.seed,
        )
        self._full = full
        self._trials: dict[int, Trial] = {}

    def ask(self, trial: int) -> Proposal | None:
        """Return the next suggestion."""
        return _ask(self._scheduler, self._trials, trial, self._space)

    def report(self, trial: int, step: float, loss: float, seconds: float) -> str:
        """Return the scheduler's decision."""
        told = {"loss": loss, "step": int(step)}
        decision = self._scheduler.on_trial_result(self._trials[trial], told)
        return "stop" if decision == "STOP" else "continue"

    def tell(self, trial: int, result: Result) -> None:
        """Complete or remove the trial, or say that it failed."""
        found = self._trials.pop(trial)
        if result.state == "stopped":
            self._scheduler.on_trial_remove(found)
        elif result.loss is None:
            self._scheduler.on_trial_error(found)
        else:
            self._scheduler.on_trial_complete(found, {"loss": result.loss, "step": self._full})


def _ask(
    scheduler: Any, trials: dict[int, Trial], trial: int, space: Sequence[Parameter]
) -> Proposal | None:
    suggestion = scheduler.suggest()
    if suggestion is None:
        return None
    found = trials[trial] = Trial(trial, suggestion.config, _EPOCH)
    scheduler.on_trial_add(found)
    config = suggestion.config
    return Proposal(
        {
            p.name: p.values[int(config[p.name])] if p.kind == "choice" else config[p.name]
            for p in space
        }
    )


def _domain(p: Parameter) -> Any:
    if p.kind == "choice":
        return cs.choice([str(place) for place in range(len(p.values))])  # values of one type alone
    if p.kind == "int":
        low, high = int(p.low), int(p.high)
        return cs.lograndint(low, high) if p.log else cs.randint(low, high)
    return cs.loguniform(p.low, p.high) if p.log else cs.uniform(p.low, p.high)
