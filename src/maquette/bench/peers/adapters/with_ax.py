"""Ax through its client, which chooses the models itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, final

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

from .base import Parameter, Problem, Proposal, Result, UnsupportedError

DISTRIBUTIONS = ("ax-platform", "botorch")


def start(problem: Problem) -> Ax:
    """Return an adapter for default."""
    return Ax(problem)


@final
class Ax:
    """The client with its default generation strategy; conditional spaces are flattened.

    Choices are given by their place, unordered; Ax takes values of one type alone.
    """

    def __init__(self, problem: Problem) -> None:
        if problem.method != "default":
            raise UnsupportedError(f"ax has no method {problem.method}")
        logging.disable(logging.WARNING)
        self._problem = problem
        self._client = Client(random_seed=problem.seed)
        self._client.configure_experiment([_parameter(p) for p in problem.space])
        self._client.configure_optimization(objective="-loss")
        self._client.configure_generation_strategy(initialization_random_seed=problem.seed)
        self._asked: dict[int, int] = {}

    def ask(self, trial: int) -> Proposal | None:
        """Return the next trial's parameters; None while Ax waits for results."""
        found = self._client.get_next_trials(max_trials=1)
        for index, config in found.items():
            self._asked[trial] = index
            return Proposal(self._read(config))
        return None

    def tell(self, trial: int, result: Result) -> None:
        """Complete the trial, or mark it failed."""
        index = self._asked.pop(trial)
        if result.loss is None:
            self._client.mark_trial_failed(index)
        else:
            self._client.complete_trial(index, raw_data={"loss": result.loss})

    def observe(self, config: Mapping[str, Any], loss: float) -> None:
        """Attach and complete a trial."""
        full = self._problem.complete(config)
        places = {
            p.name: p.place(full[p.name]) if p.kind == "choice" else full[p.name]
            for p in self._problem.space
        }
        index = self._client.attach_trial(places)
        self._client.complete_trial(index, raw_data={"loss": loss})

    def recommend(self) -> Mapping[str, Any]:
        """Return the best point by the model's prediction."""
        return self._read(self._client.get_best_parameterization()[0])

    def _read(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return {
            p.name: p.values[int(config[p.name])] if p.kind == "choice" else config[p.name]
            for p in self._problem.space
        }


def _parameter(p: Parameter) -> RangeParameterConfig | ChoiceParameterConfig:
    if p.kind == "choice":
        places = list(range(len(p.values)))
        return ChoiceParameterConfig(
            name=p.name, values=places, parameter_type="int", is_ordered=len(places) == 2
        )
    return RangeParameterConfig(
        name=p.name,
        bounds=(p.low, p.high),
        parameter_type="int" if p.kind == "int" else "float",
        scaling="log" if p.log else "linear",
    )
