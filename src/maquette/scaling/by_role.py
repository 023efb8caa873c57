"""A recipe by role of parameters: what a parametrization makes of its settings at the target.

For runs that were made under a rule: their columns hold base values, from which the rule makes
those of embeddings, hidden matrices, readout and vectors. The drift that the runs show is in the
recipe's base values already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from maquette.errors import ScaleError
from maquette.scaling import customary
from maquette.scaling.parametrization import OPTIMIZERS, Table
from maquette.scaling.recipe import Recipe
from maquette.scaling.to_target import SETTINGS, to_target


def by_role(
    recipe: Recipe, rule: str | Table, ratios: Mapping[str, float], optimizer: str = ""
) -> Recipe:
    """Return a recipe that says its settings for each role of parameters.

    Parameters
    ----------
    recipe
        For a target, from runs made under the rule.
    rule
        A parametrization's name (`maquette.scaling.parametrization.table`) or a table.
    ratios
        ``width``, ``depth``, ``batch``, ``tokens``: the target's over the base's.
    optimizer
        Of the named rule; empty: the recipe's own, where it has one, else AdamW.

    Raises
    ------
    ScaleError
        If an axis is unknown, a ratio is not positive, or no setting of the recipe has a name that
        says what it is.
    """
    named = {
        str(v) for k, v in recipe.config.items() if k.lower() in customary.SETTINGS["optimizer"]
    }
    optimizer = optimizer or next(iter(named & set(OPTIMIZERS)), "adamw")
    found = to_target(
        recipe.config, ratios, dict.fromkeys(ratios, 1.0), by=rule, optimizer=optimizer
    )
    if not any(found.roles.values()):
        known = ", ".join(names[0] for names in SETTINGS.values())
        raise ScaleError(
            [f"none of {', '.join(recipe.config)} bears the customary name of a setting that a "
             f"rule scales: {known}"]
        )  # fmt: skip
    inside = {"residual": found.residual, "attention": found.attention}
    name = rule if isinstance(rule, str) else rule.name
    return replace(
        recipe,
        rule=f"{name} at " + ", ".join(f"{v:g}x {axis}" for axis, v in ratios.items()),
        roles=found.roles,
        multipliers={k: v for k, v in inside.items() if v != 1.0},
    )
