"""Checking configs against a space, and their canonical form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from maquette.errors import nearest
from maquette.space.codec import Codec, coded, significant
from maquette.space.constraint import Constraint
from maquette.space.declare import value_problem
from maquette.space.parameter import (
    Choice,
    Config,
    Float,
    Parameter,
    Scalar,
    given_default,
    needs,
    plain,
    position,
)
from maquette.space.region import Region

Parameters = Mapping[str, Parameter]


def problems_of(
    config: Mapping[str, Any], parameters: Parameters, region: Region, *, strict: bool
) -> tuple[list[str], Config]:
    """Return every problem of a config, and its canonical form (complete if there is none).

    `strict`: whether a parameter that is present without being active is a problem.
    """
    problems = [
        f"unknown parameter {name!r}." + nearest(str(name), parameters)
        for name in config
        if name not in parameters
    ]
    found: dict[str, str] = {}
    values: Config = {}
    codec = region.codec
    # True: active; False: inactive; None: unknown, since a parent is missing or wrong.
    status: list[bool | None] = [None] * len(codec.names)
    for j in codec.order:
        name, parameter = codec.names[j], codec.parameters[j]
        status[j] = active = _status(codec, j, values, status)
        if active is False:
            if strict and name in config:
                found[name] = f"is present but not active (it needs {needs(parameter)})"
        elif name in config:
            value = plain(config[name])
            wrong = value_problem(value, parameter)
            if wrong:
                found[name] = wrong
            else:
                values[name] = typed(value, parameter)
        elif active:
            found[name] = "is missing"
    problems += [f"{name}: {found[name]}" for name in codec.names if name in found]
    ordered = {name: values[name] for name in codec.names if name in values}
    return problems + _violated(ordered, parameters, region.constraints), ordered


def _status(codec: Codec, j: int, values: Config, status: list[bool | None]) -> bool | None:
    result: bool | None = True
    for gate in codec.gates[j]:
        parent = codec.names[gate.parent]
        if status[gate.parent] is False:
            return False
        if parent not in values:
            result = None
        elif not gate.holds(coded(values[parent], codec.parameters[gate.parent])):
            return False
    return result


def default_problems(defaults: Config, parameters: Parameters, region: Region) -> list[str]:
    """Name the constraints that declared defaults violate by themselves."""
    declared = {n: v for n, v in defaults.items() if given_default(parameters[n])}
    return [f"the defaults: {p}" for p in _violated(declared, parameters, region.constraints)]


def _violated(
    values: Config, parameters: Parameters, constraints: tuple[Constraint, ...]
) -> list[str]:
    problems = []
    for constraint in constraints:
        if any(name not in values for name in constraint.names):
            continue
        columns = {n: np.array([coded(values[n], parameters[n])]) for n in constraint.names}
        if not constraint.holds(columns).all():
            shown = ", ".join(f"{n}={values[n]!r}" for n in constraint.names)
            problems.append(f"constraint {constraint.text!r} is violated by {shown}")
    return problems


def typed(value: Any, parameter: Parameter) -> Scalar:
    """Return a fitting value in its parameter's type: 4.0 is 4 for an Int."""
    if isinstance(parameter, Choice):
        index = position(value, parameter.values)
        return value if index is None else parameter.values[index]
    return float(value) + 0.0 if isinstance(parameter, Float) else int(value)


def key(config: Config) -> str:
    """Write a canonical config as one line; floats go by their 13 first significant digits."""
    rounded = {
        name: significant(value) if isinstance(value, float) else value
        for name, value in config.items()
    }
    return json.dumps(rounded, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
