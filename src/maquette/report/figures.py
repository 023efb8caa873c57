"""What the charts show, as plain data: pure functions of the evidence, JSON-ready."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from maquette.history import TrialRecord
from maquette.number import json_ready
from maquette.report.attribution import dependences, shares
from maquette.report.evidence import Evidence
from maquette.report.front import front
from maquette.report.importance import effects
from maquette.report.words import place
from maquette.trial import State

POINTS = 13  # along a fitted curve
FEW = 9  # along an axis of scale


@runtime_checkable
class Run(Protocol):
    """A run at the target, as the demo keeps it."""

    label: str
    config: dict[str, Any]
    scale: dict[str, float]
    steps: list[float]
    losses: list[float]
    loss: float
    state: State


def figures(evidence: Evidence, targets: Sequence[Run] = ()) -> dict[str, Any]:
    """Return every figure by name; those without data are left out."""
    every = {
        "curves": learning_curves(evidence, targets),
        "optimum": optimum_against_scale(evidence),
        "predicted": predicted_against_measured(evidence, targets),
        "valleys": valleys(evidence),
        "importance": importance(evidence),
        "progress": progress(evidence),
        "check": check(evidence, targets),
        "front": front(evidence),
        "shares": shares(evidence),
        "dependence": dependences(evidence),
    }
    return {name: figure for name, figure in every.items() if figure}


def learning_curves(evidence: Evidence, targets: Sequence[Run] = ()) -> list[dict[str, Any]]:
    """One panel a cell: every trial's reported losses, its state, and its final loss."""
    history = evidence.history
    panels = []
    for cell in _cells(evidence):
        lines = [
            {
                "name": f"trial {t.number}",
                "state": t.state.value,
                "x": list(t.steps),
                "y": list(t.losses),
                "final": json_ready(t.loss),
            }
            for t in history.in_cell(cell)
            if len(t.steps) > 1
        ]
        if lines:
            panels.append({"title": place(cell) or "all trials", "lines": lines})
    if any(len(run.steps) > 1 for run in targets):
        lines = [
            {
                "name": run.label,
                "state": "target",
                "x": list(run.steps),
                "y": list(run.losses),
                "final": json_ready(run.loss),
            }
            for run in targets
        ]
        panels.append({"title": f"target: {place(targets[0].scale)}", "lines": lines})
    for panel in panels:
        panel["key"] = history.problem.duration.key or "step"
    return panels


def optimum_against_scale(evidence: Evidence) -> list[dict[str, Any]]:
    """One panel for each setting and axis: the optimum along the axis with its 90 % interval.

    Other axes stand at the target. The dots are the best runs of every cell, moved by the fitted
    drift along the other axes to where the curve is (component-plus-residual plot).
    """
    model, recipe = evidence.model, evidence.recipe
    if model is None or recipe is None:
        return []
    panels = []
    for axis in [a for a in model.runs.axes if a.varies]:
        tried = [math.exp(axis.centre + end) for end in (axis.low, axis.high)]
        low, high = min(tried[0], recipe.at[axis.name]), max(tried[1], recipe.at[axis.name])
        grid = [float(v) for v in np.geomspace(low, high, FEW)]
        curves = [model.optimum(**{**recipe.at, axis.name: v}) for v in grid]
        for name in recipe.drift:
            panels.append(
                {
                    "setting": name,
                    "axis": axis.name,
                    "x": grid,
                    "mean": [c[name].mean for c in curves],
                    "low": [c[name].low for c in curves],
                    "high": [c[name].high for c in curves],
                    "tried": tried,
                    "dots": _moved(evidence, name, axis.name),
                    "target": [recipe.at[axis.name], recipe.config[name]],
                    "interval": list(recipe.interval[name]),
                    "exponent": recipe.drift[name][axis.name],
                    "exponent_interval": list(recipe.drift_interval[name][axis.name]),
                    "log": _log(evidence, name),
                    "linear": name in recipe.linear,
                }
            )
    return sorted(panels, key=lambda p: list(recipe.drift).index(p["setting"]))


def _moved(evidence: Evidence, name: str, axis: str) -> list[dict[str, Any]]:
    """The three best runs of every cell, moved to the target on every axis but one."""
    recipe = evidence.recipe
    if recipe is None:
        return []
    dots = []
    for cell in _cells(evidence):
        done = [t for t in evidence.done if t.scale == cell and name in t.config]
        shift = sum(
            recipe.drift[name].get(other, 0.0) * math.log(recipe.at[other] / cell[other])
            for other in cell
            if other != axis
        )
        for rank, t in enumerate(sorted(done, key=lambda t: t.loss)[:3]):
            value = float(t.config[name])
            moved = value * math.exp(shift) if _log(evidence, name) else value + shift
            dots.append({"x": cell[axis], "y": moved, "rank": rank, "trial": t.number})
    return dots


def predicted_against_measured(
    evidence: Evidence, targets: Sequence[Run] = ()
) -> dict[str, Any] | None:
    """Every finished run: the loss that the model gives it, and the loss it had."""
    model = evidence.model
    if model is None or not evidence.done:
        return None
    names = {s.name for s in model.runs.settings}
    points = []
    for t in evidence.done:
        config = {k: v for k, v in t.config.items() if k in names}
        e = model.predict(config, **_axes(evidence, t.scale))
        points.append(
            {
                "predicted": e.mean,
                "low": e.low,
                "high": e.high,
                "measured": t.loss,
                "name": f"trial {t.number}",
                "cell": place(t.scale),
            }
        )
    recipe, marks = evidence.recipe, []
    for run in targets:
        if run.label == "recipe" and recipe is not None and math.isfinite(run.loss):
            e = recipe.loss
            marks.append(
                {
                    "predicted": e.mean,
                    "low": e.low,
                    "high": e.high,
                    "measured": run.loss,
                    "name": "the recipe at the target",
                    "cell": place(run.scale),
                }
            )
    return {"points": points, "targets": marks}


def valleys(evidence: Evidence) -> list[dict[str, Any]]:
    """For every setting, one panel a cell: finished runs, and the fitted valley through them."""
    model = evidence.model
    if model is None:
        return []
    out = []
    for setting in model.runs.numeric:
        panels = [_valley(evidence, setting.name, cell) for cell in _cells(evidence)]
        kept = [p for p in panels if p["points"]]
        if kept:
            log = _log(evidence, setting.name)
            out.append({"setting": setting.name, "log": log, "panels": kept})
    order = [e.name for e in effects(evidence)]
    return sorted(out, key=lambda f: order.index(f["setting"]))


def _valley(evidence: Evidence, name: str, cell: Mapping[str, float]) -> dict[str, Any]:
    model, log = evidence.model, _log(evidence, name)
    runs = [t for t in evidence.history.in_cell(cell) if name in t.config]
    done = [t for t in runs if math.isfinite(t.loss)]
    tried = [float(t.config[name]) for t in runs]
    points = [{"x": float(t.config[name]), "y": t.loss, "trial": t.number} for t in done]
    gone = [float(t.config[name]) for t in runs if t.state is State.DIVERGED]
    if model is None or not done:
        return {"title": place(cell), "points": []}
    low, high = min(tried), max(tried)
    grid = np.geomspace(low, high, POINTS) if log and low > 0 else np.linspace(low, high, POINTS)
    at = _axes(evidence, cell)
    line = [model.predict({name: float(v)}, **at) for v in grid]
    best = model.optimum(**at)[name]
    return {
        "title": place(cell) or "all runs",
        "points": points,
        "diverged": gone,
        "x": [float(v) for v in grid],
        "y": [e.mean for e in line],
        "optimum": [best.low, best.mean, best.high],
    }


def importance(evidence: Evidence) -> list[dict[str, Any]]:
    """Relative excess loss of each setting at values typically tried."""
    return [
        {"name": e.name, "mean": e.mean, "low": e.low, "high": e.high} for e in effects(evidence)
    ]


def progress(evidence: Evidence) -> dict[str, Any] | None:
    """Finished trials in order, and the best so far; for a study at one scale."""
    done = evidence.done
    if evidence.history.axes or len(done) < 2:
        return None
    objective = evidence.history.objective
    best = np.minimum.accumulate([t.loss for t in done])
    return {
        "x": [t.number for t in done],
        "y": [objective.value(t.loss) for t in done],
        "best": [objective.value(float(v)) for v in best],
        "metric": objective.primary,
    }


def check(evidence: Evidence, targets: Sequence[Run] = ()) -> dict[str, Any] | None:
    """What was predicted at the target, and what was measured there."""
    recipe = evidence.recipe
    done = [run for run in targets if math.isfinite(run.loss)]
    if recipe is None or not done:
        return None
    loss = recipe.loss
    return {
        "at": place(recipe.at),
        "predicted": [loss.low, loss.mean, loss.high],
        "measured": [{"name": run.label, "loss": run.loss} for run in done],
    }


def _cells(evidence: Evidence) -> Sequence[Mapping[str, float]]:
    """Every cell that holds trials, the cheapest first; one empty cell without a scale."""
    scale = evidence.history.problem.scale
    if scale is None:
        return [{}]
    seen: dict[tuple[tuple[str, float], ...], TrialRecord] = {}
    for t in evidence.history.trials:
        seen.setdefault(tuple(t.scale.items()), t)
    return [dict(k) for k in sorted(seen, key=lambda k: (math.prod(v for _, v in k), k))]


def _axes(evidence: Evidence, cell: Mapping[str, float]) -> dict[str, float]:
    return {name: cell[name] for name in evidence.history.axes}


def _log(evidence: Evidence, name: str) -> bool:
    """Whether the model takes a setting in logs, and a chart should."""
    model = evidence.model
    kinds = {s.name: s.kind for s in model.runs.settings} if model is not None else {}
    return kinds.get(name) == "log"
