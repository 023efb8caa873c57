"""Where the space ends, and where runs diverge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from maquette.report.attribution import idle
from maquette.report.evidence import Evidence
from maquette.report.words import FEW, listed, more, short
from maquette.space import Choice, Float, Int, Parameter, Space
from maquette.trial import State

NEAR = 0.03  # of a range, in the parameter's own scale
FURTHEST = 64.0  # times the recommended value


def at_the_edge(evidence: Evidence) -> list[tuple[str, str, float]]:
    """Return (name, "lower" or "upper", bound) for settings whose best value is on the boundary.

    The fitted optimum counts where there is a model, else the best config's value.
    """
    config = dict(evidence.best.config) if evidence.best is not None else {}
    if evidence.model is not None:
        fitted = evidence.model.optimum(**evidence.at)
        config |= {name: estimate.mean for name, estimate in fitted.items()}
    return on_the_edge(evidence.history.space, config)


def on_the_edge(space: Space, config: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """Return (name, "lower" or "upper", bound) for the settings of a config on a boundary."""
    found = []
    for name, parameter in space.items():
        if not isinstance(parameter, Float | Int) or name not in config:
            continue
        low, high, value = float(parameter.low), float(parameter.high), float(config[name])
        if low == high:
            continue
        if parameter.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-300))
        part = (value - low) / (high - low)
        if part <= NEAR:
            found.append((name, "lower", float(parameter.low)))
        elif part >= 1 - NEAR:
            found.append((name, "upper", float(parameter.high)))
    return found


def held_back(evidence: Evidence) -> list[tuple[str, str, float]]:
    """Return those of `at_the_edge` that a wider range might better.

    A range that starts at zero is taken to start where it must, and where trials show no effect of
    a setting its end is as good as any value.
    """
    found = [edge for edge in at_the_edge(evidence) if edge[1:] != ("lower", 0.0)]
    if not found:
        return []
    without = idle(evidence)
    return [edge for edge in found if edge[0] not in without]


def flatness(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Return the range of each setting within which less than 1 % of loss is lost.

    Cut where the space ends, and to whole numbers for integers. Where a scale is declared a setting
    in log scale may be best beyond the range that was searched at the proxies: it is not cut.
    """
    if evidence.model is None:
        return {}
    space = dict(evidence.history.space)
    found = evidence.model.flatness(0.01, **evidence.at)
    return {name: _possible(evidence, space.get(name), *ends) for name, ends in found.items()}


def _possible(
    evidence: Evidence, parameter: Parameter | None, low: float, high: float
) -> tuple[float, float]:
    """Return the part of a range that a parameter can take."""
    ends = low, high
    if isinstance(parameter, Float | Int) and not (evidence.history.axes and parameter.log):
        least, most = float(parameter.low), float(parameter.high)
        ends = min(max(low, least), most), min(max(high, least), most)
    if isinstance(parameter, Int):
        inner = math.ceil(ends[0] - 1e-9), math.floor(ends[1] + 1e-9)
        ends = min(inner), max(inner)
    return ends


def untried(evidence: Evidence) -> list[str]:
    """Name the values of choices that no trial finished with: nothing is known of them."""
    kept = [t for t in evidence.history.trials if t.state is State.DONE]
    parts = []
    for name, parameter in evidence.history.space.items():
        if not isinstance(parameter, Choice):
            continue
        tried = {_key(t.config[name]) for t in kept if name in t.config}
        missing = [short(v) for v in parameter.values if _key(v) not in tried]
        if tried and missing:
            named = [*missing[:FEW], *more(len(missing) - FEW)]
            parts.append(f"No trial finished with {name} {listed(named)}.")
    return parts


def _key(value: object) -> tuple[type, object]:
    """Tell 1 from True."""
    return type(value), value


def cliff(evidence: Evidence) -> tuple[str, float, float] | None:
    """Return (setting, factor, value) of the nearest point where a run diverges half the time.

    One setting is raised at a time, others stay at the recommended values; None if none of them
    gets there, or nothing diverged.
    """
    model = evidence.model
    if model is None or model.edge is None:
        return None
    config = model.recipe(**evidence.at).config
    nearest: tuple[str, float, float] | None = None
    for setting in model.runs.numeric:
        if setting.kind != "log":
            continue
        value = float(config[setting.name])

        def risk(factor: float, name: str = setting.name, value: float = value) -> float:
            return model.edge_at({**config, name: value * factor}, **evidence.at) or 0.0

        if risk(FURTHEST) < 0.5:
            continue
        low, high = 0.0, math.log(FURTHEST)
        for _ in range(10):
            middle = (low + high) / 2
            low, high = (low, middle) if risk(math.exp(middle)) >= 0.5 else (middle, high)
        factor = math.exp(high)
        if nearest is None or factor < nearest[1]:
            nearest = (setting.name, factor, value * factor)
    return nearest
