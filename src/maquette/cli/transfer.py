"""``maquette transfer``: a recipe from runs that exist, or from a study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maquette.cli.open import stored_study
from maquette.cli.options import AsJson, StoreUrl
from maquette.cli.output import note
from maquette.cli.pasted import Form, show
from maquette.cli.source import Loss, Runs, Scale, Settings, State, drift_model, paid, said_of
from maquette.cli.values import numbers

if TYPE_CHECKING:
    from maquette.scaling import DriftModel, Recipe

RULED = ("width", "depth", "batch", "tokens")  # axes that parametrizations know

Cost = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A column with what each run cost (dollars, hours, FLOPs): what the target costs "
        "is told from it, and proxies are priced by it.",
    ),
]
RuleOf = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|TABLE.toml",
        help="The parametrization that the runs were made under: their settings are the "
        "base's, and the recipe says what they are for each role of parameters.",
    ),
]
Ratio = Annotated[
    str | None,
    typer.Option(
        metavar="AXIS=VALUE,...",
        help="Of width, depth, batch and tokens for --rule: the target's over the base's. "
        "Default: the study's.",
    ),
]


def transfer(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUNS.csv|STUDY", help="A table with one row a run, or a study's name."
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS=VALUE,...",
            help="The target, in the columns' own units. Axes left out: the largest tried, or the "
            "study's target.",
        ),
    ] = None,
    settings: Settings = None,
    scale: Scale = None,
    loss: Loss = "loss",
    state: State = None,
    laws: Annotated[
        bool | None,
        typer.Option(
            help="Read columns by their customary names (lr, bs, wd; N, D, C) and take what "
            "published laws say of them as a prior. Default: where the runs alone settle nothing.",
        ),
    ] = None,
    cost: Cost = None,
    rule: RuleOf = None,
    ratio: Ratio = None,
    form: Form = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Predict the settings for a target from smaller runs.

    Example: maquette transfer runs.csv --settings lr,bs --scale N,D --loss loss --at N=1e9,D=2e10
    """
    target = numbers(at, "--at") if at else {}
    ratios = numbers(ratio, "--ratio") if ratio else {}
    runs = Runs(source, settings, scale, loss, state, store)
    _refuse(runs, cost, laws, rule, ratio)
    if runs.in_table:
        recipe = _from_table(runs, target, laws, cost)
    else:
        study = stored_study(source, store)
        recipe = study.transfer(**target)
        base = study.history.problem.scale.base if study.history.problem.scale else {}
        ratios = ratios or {axis: recipe.at[axis] / base[axis] for axis in RULED if axis in base}
    if rule:
        recipe = _by_role(recipe, rule, ratios)
    show(recipe, recipe.to_json(), form, as_json)


def _from_table(
    runs: Runs, target: dict[str, float], laws: bool | None, cost: str | None
) -> Recipe:
    """Fit the runs of a table; laws speak where they are asked, or settle what runs do not."""
    from maquette.scaling.advice import with_next_run

    model = drift_model(runs, bool(laws))
    recipe = model.recipe(**target)
    if signed := _signed(model):
        note(
            f"{signed}: not every value is positive, so they are taken as they stand, in linear "
            "scale, as logarithms are"
        )
    if laws is None and (said := _meanings(model)):
        told = drift_model(runs, laws=True)
        other = told.recipe(**target)
        if recipe.verdict.level != "trust" or "told by laws" in other.verdict.codes:
            recipe, model = other, told
            note(
                f"these runs alone do not settle it, and {said} bear customary names: what "
                "published laws say of them was taken as a prior (--no-laws: do without)"
            )
    if cost is None or runs.scale is None:
        return with_next_run(model, recipe)
    spent = paid(runs, runs.scale, cost)
    recipe = with_next_run(model, recipe, spent.price)
    return replace(recipe, cost=spent.at(recipe.at), cost_unit=cost)


def _refuse(
    runs: Runs, cost: str | None, laws: bool | None, rule: str | None, ratio: str | None
) -> None:
    """Say which options do not go together."""
    table = runs.in_table
    if laws and not table:
        raise typer.BadParameter(
            "a study's settings live in the coordinates of its parametrization, of which laws say "
            "nothing; export it and give the table's columns",
            param_hint="--laws",
        )
    if cost and not table:
        raise typer.BadParameter("a study knows what its trials cost", param_hint="--cost")
    if ratio and not rule:
        raise typer.BadParameter("say by which rule: --rule mup+completep", param_hint="--ratio")
    if rule and table and not ratio:
        raise typer.BadParameter(
            "a table does not say how the target compares with the base: --ratio width=16,depth=8",
            param_hint="--rule",
        )


def _by_role(recipe: Recipe, rule: str, ratios: dict[str, float]) -> Recipe:
    """Return a recipe with its settings by role, by a named rule or a table of the user's own."""
    from maquette.scaling.by_role import by_role
    from maquette.scaling.parametrization import read_table

    if not ratios:
        raise typer.BadParameter(
            f"the study has none of the axes {', '.join(RULED)}: give --ratio", param_hint="--rule"
        )
    if not rule.endswith(".toml"):
        return by_role(recipe, rule, ratios)
    try:
        text = Path(rule).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{rule}: {error}", param_hint="--rule") from error
    return by_role(recipe, read_table(text), ratios)


def _signed(model: DriftModel) -> str:
    """Return the columns that bear the name of a positive quantity and hold other numbers."""
    from maquette.scaling import recognise

    return ", ".join(recognise([s.name for s in model.runs.numeric if s.kind != "log"], []))


def _meanings(model: DriftModel) -> str:
    """Return the columns that published laws speak of, in words."""
    tuned = [s.name for s in model.runs.settings if s.kind == "log"]
    axes = [a.name for a in model.runs.axes]
    if not said_of(tuned, axes):
        return ""
    from maquette.scaling import recognise

    return ", ".join(recognise(tuned, axes))
