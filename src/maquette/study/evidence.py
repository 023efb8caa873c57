"""From a study's trials to its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from maquette.errors import StudyError
from maquette.history import History
from maquette.space import Int, Space
from maquette.trial import State

if TYPE_CHECKING:
    from maquette.scaling import DriftModel, Recipe


def recipe(name: str, history: History, at: Mapping[str, float]) -> Recipe:
    """Return the settings for a target, as `Study.transfer` does; axes left out stand at its."""
    from maquette.scaling.advice import with_next_run

    scale = history.problem.scale
    model = fit_drift(name, history)
    found = model.recipe(**(scale.complete(at) if scale else at))
    return with_whole_numbers(_priced(with_next_run(model, found), history), history.space)


def _priced(recipe: Recipe, history: History) -> Recipe:
    """Add what one run of the target costs, where trials have a cost."""
    from maquette.scaling.cost import Paid

    ran = [t for t in history.trials if t.state is State.DONE]
    scales = [[t.scale[axis] for axis in history.axes] for t in ran]
    unit = history.objective.cost or "seconds"
    paid = Paid(history.axes, [t.cost for t in ran], scales, unit)
    return replace(recipe, cost=paid.at(recipe.at), cost_unit=unit)


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
    from maquette.scaling.evidence import fit_history, runs

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
    return fit_history(history)
