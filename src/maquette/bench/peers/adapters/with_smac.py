"""SMAC3's facade for hyperparameters: random forest, log expected improvement, Sobol start."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import ConfigSpace as CS
from smac import BlackBoxFacade, HyperparameterOptimizationFacade, Scenario
from smac.runhistory import StatusType, TrialInfo, TrialValue

from .base import Problem, Proposal, Result, UnsupportedError
from .spaces import config_space, read, write

DISTRIBUTIONS = ("smac", "ConfigSpace")

_FACADES = {"forest": HyperparameterOptimizationFacade, "gp": BlackBoxFacade}


def start(problem: Problem) -> Smac:
    """Return an adapter for forest or gp."""
    return Smac(problem)


@final
class Smac:
    """A facade's ask and tell; one seed a config, as its users have it."""

    def __init__(self, problem: Problem) -> None:
        if problem.method not in _FACADES:
            raise UnsupportedError(f"smac has no method {problem.method}")
        if problem.method == "gp" and any(p.when for p in problem.space):
            raise UnsupportedError("SMAC's Gaussian process cannot take conditional parameters")
        self._problem = problem
        self._space = config_space(problem)
        scenario = Scenario(
            self._space,
            output_directory=Path(tempfile.mkdtemp()),
            deterministic=True,
            n_trials=problem.trials or 10_000,
            seed=problem.seed,
        )
        facade = _FACADES[problem.method]
        self._smac = facade(scenario, _never, overwrite=True, logging_level=False)
        self._asked: dict[int, TrialInfo] = {}
        self._worst = 0.0

    def ask(self, trial: int) -> Proposal:
        """Return the next config."""
        info = self._asked[trial] = self._smac.ask()
        return Proposal(read(info.config, self._problem))

    def tell(self, trial: int, result: Result) -> None:
        """Tell the cost; a failure has SMAC's status for it, and costs as much as the worst so far.

        Its default, an infinite cost, ends in NaN once the forest takes logarithms.
        """
        failed = result.loss is None
        cost = self._worst if result.loss is None else result.loss
        self._worst = max(self._worst, cost)
        value = TrialValue(
            cost=cost,
            time=result.seconds,
            status=StatusType.CRASHED if failed else StatusType.SUCCESS,
        )
        self._smac.tell(self._asked.pop(trial), value, save=False)

    def observe(self, config: Mapping[str, Any], loss: float) -> None:
        """Tell of a config that was not asked for."""
        made = CS.Configuration(self._space, values=write(config, self._problem))
        self._smac.tell(TrialInfo(made, seed=0), TrialValue(cost=loss), save=False)

    def recommend(self) -> Mapping[str, Any] | None:
        """Return the intensifier's incumbent."""
        found = self._smac.intensifier.get_incumbents()
        return read(found[0], self._problem) if found else None


def _never(config: CS.Configuration, seed: int = 0) -> float:
    raise RuntimeError("SMAC is driven by ask and tell")
