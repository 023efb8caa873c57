"""``maquette compare``: studies side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maquette.cli.best import document_so_far
from maquette.cli.open import stored_study
from maquette.cli.options import AsJson, StoreUrl
from maquette.cli.output import emit, short, table
from maquette.cli.progress import clock, largest_cell
from maquette.errors import StudyError

if TYPE_CHECKING:
    from maquette.history import History
    from maquette.objective import Objective
    from maquette.study import Study

_MARKS = (1, 2, 5)


def compare(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY STUDY...", help="Names of two studies or more.")
    ],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Compare studies: the best of each, what it took, and what was different.

    The table shows the best measured value after so many ended trials.
    """
    chosen = list(dict.fromkeys(studies))
    if len(chosen) < 2:
        raise typer.BadParameter("name two studies or more", param_hint="STUDY")
    opened = [stored_study(name, store) for name in chosen]
    _refuse_different_questions(opened)
    found = document(opened)
    emit(found, _text(found), as_json)


def _refuse_different_questions(studies: list[Study]) -> None:
    goals = {s.name: _goal(s.history.objective) for s in studies}
    first = studies[0].name
    other = [n for n, goal in goals.items() if goal != goals[first]]
    if other:
        raise StudyError(
            [f"study {n!r} optimises {goals[n]}, study {first!r} {goals[first]}" for n in other],
            hint="values of different objectives cannot be compared",
        )


def _goal(objective: Objective) -> str:
    """Return in words what a study optimises."""
    parts = [f"min:{name}" for name in objective.minimize]
    parts += [f"max:{name}" for name in objective.maximize]
    text = ", ".join(parts)
    bounds = " and ".join(f"{name} {bound}" for name, bound in objective.constraints.items())
    text += f" with {bounds}" if bounds else ""
    return f"{text} for cost {objective.cost}" if objective.cost else text


def document(studies: list[Study]) -> dict[str, Any]:
    """Return the comparison, JSON-ready."""
    settings = {study.name: _settings(study) for study in studies}
    keys = list(dict.fromkeys(key for values in settings.values() for key in values))
    differing = {
        key: {name: values.get(key) for name, values in settings.items()}
        for key in keys
        if len({repr(values.get(key)) for values in settings.values()}) > 1
    }
    rows = [_study(study) for study in studies]
    objective = studies[0].history.objective
    return {
        "metric": objective.primary,
        "studies": rows,
        "differing": differing,
        "verdict": _verdict(rows, maximize=objective.value(1.0) < 0),
    }


def _study(study: Study) -> dict[str, Any]:
    history = study.history
    return {
        "study": study.name,
        "trials": history.counts(),
        "seconds": history.elapsed(),
        "cost": history.cost,
        "best": document_so_far(study),
        "curve": curve(history),
    }


def curve(history: History) -> list[dict[str, float]]:
    """Return every improvement: ended trials, summed cost, wall clock so far, and the best value.

    With a scale only trials of the largest cell that has results count as improvements.
    """
    cell = largest_cell(history)
    ended = sorted((t for t in history.trials if t.ended is not None), key=lambda t: t.ended or 0)
    began = min((t.began for t in history.trials if t.began is not None), default=0.0)
    points: list[dict[str, float]] = []
    best, cost = math.inf, 0.0
    for count, trial in enumerate(ended, 1):
        cost += trial.cost
        if trial.state == "done" and trial.loss < best and tuple(trial.scale.values()) == cell:
            best = trial.loss
            since = max(0.0, (trial.finished or began) - began)
            value = history.objective.value(best)
            points.append({"trials": count, "seconds": since, "cost": cost, "best": value})
    return points


def _settings(study: Study) -> dict[str, Any]:
    """Return what a study was made with, flat: one entry a part and a parameter."""
    spec = study.store.find(study.name).spec
    history = study.history
    flat = {k: spec.get(k) for k in ("searcher", "scheduler", "seed", "fidelity", "scale")}
    flat["instances"] = spec.get("instances")
    flat["workers"] = history.budget.workers
    return {**flat, **{f"space.{n}": repr(p) for n, p in history.space.items()}}


def _verdict(rows: list[dict[str, Any]], *, maximize: bool) -> str:
    """Say which study is ahead, and whether the intervals can tell."""
    with_best = [row for row in rows if row["best"] is not None]
    if len(with_best) < 2:
        return "fewer than two studies have a result"
    if len({repr(row["best"]["scale"]) for row in with_best}) > 1:
        return "the best were measured at different scales, so their values cannot be compared"
    sign = -1 if maximize else 1
    first, second, *_ = sorted(with_best, key=lambda row: sign * row["best"]["value"])
    (low, high), (low2, high2) = first["best"]["interval"], second["best"]["interval"]
    apart = low > high2 if maximize else high < low2
    if apart:
        return f"{first['study']} is ahead of {second['study']}: their 90 % intervals are apart"
    return f"{first['study']} and {second['study']} cannot be told apart: 90 % intervals overlap"


def _text(found: dict[str, Any]) -> str:
    rows = [
        (
            row["study"],
            sum(row["trials"].values()),
            clock(row["seconds"]),
            row["cost"],
            *_best(row["best"]),
        )
        for row in found["studies"]
    ]
    metric = found["metric"]
    parts = [table(("study", "trials", "time", "cost", metric, "90 %", "config"), rows)]
    parts.append(_anytime(found))
    lines = []
    for key, values in found["differing"].items():
        lines.append(f"  {key}")
        lines += [f"    {name:<12}{_shown(value)}" for name, value in values.items()]
    parts.append("\n".join(["different:", *lines]) if lines else "all settings are the same")
    parts.append(found["verdict"])
    return "\n\n".join(part for part in parts if part)


def _best(best: dict[str, Any] | None) -> tuple[Any, str, str]:
    if best is None:
        return None, "", ""
    low, high = best["interval"]
    config = ", ".join(f"{k} {short(v)}" for k, v in best["config"].items())
    return best["value"], f"{short(low)} to {short(high)}", config


def _anytime(found: dict[str, Any]) -> str:
    """Return the best value of every study after 1, 2, 5, 10, ... trials."""
    most = max(sum(row["trials"].values()) for row in found["studies"])
    marks = [m * 10**k for k in range(len(str(most))) for m in _MARKS if m * 10**k <= most]
    if not marks:
        return ""
    header = ("after trials", *(row["study"] for row in found["studies"]))
    rows = [(m, *(_at(row["curve"], m) for row in found["studies"])) for m in [*marks, most]]
    return table(header, list(dict.fromkeys(rows)))


def _at(points: list[dict[str, float]], trials: int) -> float | None:
    passed = [p["best"] for p in points if p["trials"] <= trials]
    return passed[-1] if passed else None


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)
