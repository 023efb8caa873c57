"""Nevergrad: its wizard NGOpt, and CMA-ES, with the budget told ahead as it wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import nevergrad as ng

from .base import Parameter, Problem, Proposal, Result, UnsupportedError

DISTRIBUTIONS = ("nevergrad",)

_OPTIMIZERS = {"ngopt": "NGOpt", "cma": "CMA", "de": "TwoPointsDE"}


def start(problem: Problem) -> Nevergrad:
    """Return an adapter for ngopt, cma or de."""
    return Nevergrad(problem)


@final
class Nevergrad:
    """An optimizer of Nevergrad's registry; conditional spaces are flattened."""

    def __init__(self, problem: Problem) -> None:
        if problem.method not in _OPTIMIZERS:
            raise UnsupportedError(f"nevergrad has no method {problem.method}")
        self._problem = problem
        self._space = ng.p.Dict(**{p.name: _parameter(p) for p in problem.space})
        self._space.random_state.seed(problem.seed)
        make = ng.optimizers.registry[_OPTIMIZERS[problem.method]]
        # Without a number of trials, the wizard is told what a study of this kind usually has.
        self._optimizer = make(
            self._space, budget=problem.trials or 100, num_workers=problem.workers
        )
        self._asked: dict[int, Any] = {}
        self._worst = 0.0

    def ask(self, trial: int) -> Proposal:
        """Return the next candidate."""
        candidate = self._asked[trial] = self._optimizer.ask()
        return Proposal(self._read(candidate.value))

    def tell(self, trial: int, result: Result) -> None:
        """Tell the loss; a failure counts as the worst loss so far, since there is no other way."""
        loss = self._worst if result.loss is None else result.loss
        self._worst = max(self._worst, loss)
        self._optimizer.tell(self._asked.pop(trial), loss)

    def observe(self, config: Mapping[str, Any], loss: float) -> None:
        """Tell of a candidate that was not asked for."""
        self._worst = max(self._worst, loss)
        value = {
            p.name: p.place(v) if _ordinal(p) else v
            for p, v in zip(
                self._problem.space, self._problem.complete(config).values(), strict=True
            )
        }
        self._optimizer.tell(self._space.spawn_child(new_value=value), loss)

    def recommend(self) -> Mapping[str, Any]:
        """Return the optimizer's own recommendation."""
        found: Mapping[str, Any] = self._read(self._optimizer.provide_recommendation().value)
        return found

    def _read(self, value: Mapping[str, Any]) -> dict[str, Any]:
        return {
            p.name: p.values[int(value[p.name])] if _ordinal(p) else value[p.name]
            for p in self._problem.space
        }


def _ordinal(p: Parameter) -> bool:
    return p.kind == "choice"


def _parameter(p: Parameter) -> Any:
    if p.kind == "choice":
        return ng.p.Choice(range(len(p.values)))
    made = ng.p.Log(lower=p.low, upper=p.high) if p.log else ng.p.Scalar(lower=p.low, upper=p.high)
    return made.set_integer_casting() if p.kind == "int" else made
