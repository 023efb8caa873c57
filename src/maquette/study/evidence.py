"""From a study's trials to the table that the scaling model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from maquette.errors import StudyError
from maquette.history import History
from maquette.space import Choice, Int, Space
from maquette.trial import State

if TYPE_CHECKING:
    from maquette.scaling import DriftModel, Recipe


def runs(history: History) -> tuple[dict[str, list[Any]], list[str]]:
    """Return the columns of finished runs, and the names of the settings among them.

    Only trials that ran to their full duration are observations; a run that diverged stands with
    a loss of NaN. A stopped run is left out: it was not decayed to its end, so it is no shorter
    run. Settings that some trials do not have (conditional ones) are left out.
    """
    kept = [t for t in history.trials if t.state in (State.DONE, State.DIVERGED)]
    settings = [n for n in history.space if all(n in t.config for t in kept)]
    table: dict[str, list[Any]] = {n: [t.config[n] for t in kept] for n in settings}
    for axis in history.axes:
        table[axis] = [t.scale[axis] for t in kept]
    table["loss"] = [t.loss if t.state is State.DONE else float("nan") for t in kept]
    return table, settings


def recipe(name: str, history: History, at: Mapping[str, float]) -> Recipe:
    """Return the settings for a target, as `Study.transfer` does; axes left out stand at its."""
    scale = history.problem.scale
    found = fit_drift(name, history).recipe(**(scale.complete(at) if scale else at))
    return with_whole_numbers(found, history.space)


def with_whole_numbers(recipe: Recipe, space: Space) -> Recipe:
    """Round the recipe's settings that the space declares as Int.

    A setting in log scale may leave the space's range: the best learning rate of a target may
    well lie below all that is worth trying at its proxies.
    """
    config = {
        name: round(value) if isinstance(space[name], Int) else value
        for name, value in recipe.config.items()
    }
    return replace(recipe, config=config)


def fit_drift(name: str, history: History) -> DriftModel:
    """Fit the drift model to a study's finished trials.

    Raises
    ------
    StudyError
        If the study declares no scale, or nothing has finished.
    """
    from maquette import scaling

    if not history.axes:
        raise StudyError(
            f"study {name!r} declares no scale, so there is nothing to transfer along",
            hint="declare one, for example scale=mq.Scale(width=(64, 1024))",
        )
    table, settings = runs(history)
    if not table["loss"]:
        raise StudyError(f"study {name!r} has no finished trial yet (trials: {history.tally()})")
    clash = [n for n in settings if n in history.axes]
    if clash:
        raise StudyError([f"{n!r} is both a setting and a scale axis" for n in clash])
    return scaling.fit(
        table,
        settings=settings,
        scale=list(history.axes),
        loss="loss",
        bounds=_hard_bounds(history.space, settings),
    )


def _hard_bounds(space: Space, settings: list[str]) -> dict[str, tuple[float, float]]:
    """Return the ranges that a recipe must respect: those of settings in linear scale.

    The ends of a dropout rate or a momentum are what the setting can be; the ends of a setting in
    log scale are how far somebody cared to search.
    """
    numbers = {n: p for n in settings if not isinstance(p := space[n], Choice)}
    return {n: (float(p.low), float(p.high)) for n, p in numbers.items() if not p.log}
