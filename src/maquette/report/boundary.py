"""Where the space ends, and where runs diverge."""

from __future__ import annotations

import math

from maquette.report.evidence import Evidence
from maquette.space import Float, Int

NEAR = 0.03  # of a range, in the parameter's own scale
FURTHEST = 64.0  # times the recommended value


def at_the_edge(evidence: Evidence) -> list[tuple[str, str, float]]:
    """Return (name, "lower" or "upper", bound) for settings whose best value is on the boundary.

    The fitted optimum counts where there is a model, else the best config's value.
    """
    space = evidence.history.space
    config = dict(evidence.best.config) if evidence.best is not None else {}
    if evidence.model is not None:
        fitted = evidence.model.optimum(**evidence.at)
        config |= {name: estimate.mean for name, estimate in fitted.items()}
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
