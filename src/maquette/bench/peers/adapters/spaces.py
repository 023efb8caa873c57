"""The space as a ConfigSpace, for the tuners that want one (import it where that is installed)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ConfigSpace as CS
from ConfigSpace.hyperparameters import Hyperparameter

from .base import Parameter, Problem


def config_space(problem: Problem, *, conditions: bool = True) -> CS.ConfigurationSpace:
    """Return the space; without `conditions`, conditional parameters are always active.

    Choices are given by their place, since ConfigSpace turns values into texts.
    """
    space = CS.ConfigurationSpace(seed=problem.seed)
    space.add(*[_parameter(p) for p in problem.space])
    if conditions:
        space.add(*[_condition(space, p, problem) for p in problem.space if p.when])
    return space


def read(config: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    """Return a configuration in the values of the space."""
    found = dict(config)
    return {
        p.name: p.values[int(found[p.name])] if p.kind == "choice" else found[p.name]
        for p in problem.space
        if p.name in found
    }


def write(config: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    """Return a config of the space in the values of the ConfigSpace."""
    return {
        p.name: p.place(config[p.name]) if p.kind == "choice" else config[p.name]
        for p in problem.space
        if p.name in config
    }


def _parameter(p: Parameter) -> Hyperparameter:
    if p.kind == "choice":
        places = list(range(len(p.values)))
        return CS.CategoricalHyperparameter(p.name, places, default_value=p.place(p.default))
    if p.kind == "int":
        return CS.UniformIntegerHyperparameter(
            p.name, int(p.low), int(p.high), log=p.log, default_value=int(p.default)
        )
    return CS.UniformFloatHyperparameter(
        p.name, p.low, p.high, log=p.log, default_value=float(p.default)
    )


def _condition(space: CS.ConfigurationSpace, p: Parameter, problem: Problem) -> Any:
    parts = []
    for parent, spec in p.when.items():
        owner = next(q for q in problem.space if q.name == parent)
        if isinstance(spec, Mapping):
            low, high = spec["range"]
            below = [CS.GreaterThanCondition(space[p.name], space[parent], low - 1e-12)]
            above = [CS.LessThanCondition(space[p.name], space[parent], high + 1e-12)]
            parts += (below if low > owner.low else []) + (above if high < owner.high else [])
            continue
        values = list(spec) if isinstance(spec, list | tuple) else [spec]
        places = [owner.place(v) if owner.kind == "choice" else v for v in values]
        parts.append(CS.InCondition(space[p.name], space[parent], places))
    return parts[0] if len(parts) == 1 else CS.AndConjunction(*parts)
