"""Optuna, as its documentation recommends each sampler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.trial import TrialState

from .base import Parameter, Problem, Proposal, Result, UnsupportedError

DISTRIBUTIONS = ("optuna",)


def start(problem: Problem) -> Searching | Pruning:
    """Return an adapter for tpe, gp, cma, nsga2 or hyperband."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if problem.method == "hyperband":
        return Pruning(problem)
    return Searching(problem)


def _sampler(problem: Problem) -> BaseSampler:
    seed = problem.seed
    conditional = any(p.when for p in problem.space)
    match problem.method:
        case "tpe" | "hyperband":
            # group=True is what lets the multivariate TPE model conditional parameters.
            if conditional:
                return TPESampler(seed=seed, multivariate=True, group=True)
            return TPESampler(seed=seed)
        case "gp":
            return GPSampler(seed=seed, warn_independent_sampling=False)
        case "cma":
            return CmaEsSampler(seed=seed, warn_independent_sampling=False)
        case "nsga2":
            return NSGAIISampler(seed=seed)
        case method:
            raise UnsupportedError(f"optuna has no method {method}")


@final
class Searching:
    """A sampler."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._study = optuna.create_study(sampler=_sampler(problem))
        self._trials: dict[int, optuna.Trial] = {}

    def ask(self, trial: int) -> Proposal:
        """Return the config that the sampler suggests, parameter by parameter."""
        found = self._trials[trial] = self._study.ask()
        return Proposal(_config(found, self._problem))

    def tell(self, trial: int, result: Result) -> None:
        """Tell the value; a failure is one to Optuna too."""
        _tell(self._study, self._trials.pop(trial), result)

    def observe(self, config: Mapping[str, Any], loss: float) -> None:
        """Add a finished trial."""
        _add(self._study, self._problem, config, loss)


@final
class Pruning:
    """TPE with Hyperband's pruner."""

    def __init__(self, problem: Problem) -> None:
        if problem.duration is None:
            raise UnsupportedError("Hyperband needs a learning curve, which this task has not")
        self._problem = problem
        least, full = (int(x) for x in problem.duration)
        pruner = optuna.pruners.HyperbandPruner(min_resource=max(1, least), max_resource=full)
        self._study = optuna.create_study(sampler=_sampler(problem), pruner=pruner)
        self._trials: dict[int, optuna.Trial] = {}

    def ask(self, trial: int) -> Proposal:
        """Return the config that the sampler suggests, parameter by parameter."""
        found = self._trials[trial] = self._study.ask()
        return Proposal(_config(found, self._problem))

    def report(self, trial: int, step: float, loss: float, seconds: float) -> str:
        """Ask the pruner."""
        found = self._trials[trial]
        found.report(loss, int(step))
        return "stop" if found.should_prune() else "continue"

    def tell(self, trial: int, result: Result) -> None:
        """Tell the value, or that the trial was pruned."""
        found = self._trials.pop(trial)
        if result.state == "stopped":
            self._study.tell(found, state=TrialState.PRUNED)
        else:
            _tell(self._study, found, result)

    def observe(self, config: Mapping[str, Any], loss: float) -> None:
        """Add a finished trial."""
        _add(self._study, self._problem, config, loss)


def _config(trial: optuna.Trial, problem: Problem) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for p in problem.space:
        if not p.active(config):
            continue
        if p.kind == "choice":
            config[p.name] = trial.suggest_categorical(p.name, p.values)
        elif p.kind == "int":
            config[p.name] = trial.suggest_int(p.name, int(p.low), int(p.high), log=p.log)
        else:
            config[p.name] = trial.suggest_float(p.name, p.low, p.high, log=p.log)
    return config


def _tell(study: optuna.Study, trial: optuna.Trial, result: Result) -> None:
    if result.loss is None:
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, result.loss)


def _add(study: optuna.Study, problem: Problem, config: Mapping[str, Any], loss: float) -> None:
    distributions = {p.name: _distribution(p) for p in problem.space if p.name in config}
    params = {name: config[name] for name in distributions}
    study.add_trial(
        optuna.trial.create_trial(params=params, distributions=distributions, value=loss)
    )


def _distribution(p: Parameter) -> BaseDistribution:
    if p.kind == "choice":
        return CategoricalDistribution(p.values)
    if p.kind == "int":
        return IntDistribution(int(p.low), int(p.high), log=p.log)
    return FloatDistribution(p.low, p.high, log=p.log)
