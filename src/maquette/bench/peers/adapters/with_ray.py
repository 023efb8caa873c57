"""Ray Tune's ASHA over random search, through the scheduler's own callbacks.

Its HyperBand and population schedulers pause trials through Ray's controller and cannot be driven
so; its searchers are other tuners' that stand here by themselves.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from .base import Parameter, Problem, Proposal, Result, UnsupportedError

DISTRIBUTIONS = ("ray",)


def start(problem: Problem) -> Ray:
    """Return an adapter for asha."""
    return Ray(problem)


@final
@dataclass(frozen=True, slots=True)
class _Trial:
    """What the scheduler reads of a trial."""

    trial_id: str


@final
class Ray:
    """ASHA; conditional spaces are flattened."""

    def __init__(self, problem: Problem) -> None:
        if problem.method != "asha":
            raise UnsupportedError(f"ray has no method {problem.method}")
        if problem.duration is None:
            raise UnsupportedError("ASHA needs a learning curve, which this task has not")
        least, full = (int(x) for x in problem.duration)
        np.random.seed(problem.seed)
        random.seed(problem.seed)
        self._full = full
        self._domains = {p.name: _domain(p) for p in problem.space}
        self._scheduler = ASHAScheduler(
            time_attr="step",
            metric="loss",
            mode="min",
            max_t=full,
            grace_period=max(1, least),
        )

    def ask(self, trial: int) -> Proposal:
        """Return a random config."""
        self._scheduler.on_trial_add(None, _Trial(str(trial)))
        return Proposal({name: domain.sample() for name, domain in self._domains.items()})

    def report(self, trial: int, step: float, loss: float, seconds: float) -> str:
        """Return the scheduler's decision."""
        told = {"loss": loss, "step": int(step)}
        decision = self._scheduler.on_trial_result(None, _Trial(str(trial)), told)
        return "stop" if decision == "STOP" else "continue"

    def tell(self, trial: int, result: Result) -> None:
        """Complete or remove the trial, or say that it failed."""
        found = _Trial(str(trial))
        if result.state == "stopped":
            self._scheduler.on_trial_remove(None, found)
        elif result.loss is None:
            self._scheduler.on_trial_error(None, found)
        else:
            told = {"loss": result.loss, "step": self._full}
            self._scheduler.on_trial_complete(None, found, told)


def _domain(p: Parameter) -> Any:
    if p.kind == "choice":
        return tune.choice(list(p.values))
    if p.kind == "int":
        low, high = int(p.low), int(p.high) + 1
        return tune.lograndint(low, high) if p.log else tune.randint(low, high)
    return tune.loguniform(p.low, p.high) if p.log else tune.uniform(p.low, p.high)
