"""``maquette transfer``: a recipe from runs that exist, or from a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maquette.cli.open import stored_study
from maquette.cli.options import AsJson, StoreUrl
from maquette.cli.output import emit, note
from maquette.cli.values import names, numbers

if TYPE_CHECKING:
    from maquette.scaling import Recipe

_TABLE_OPTIONS = "--settings and --scale"


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
    settings: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Columns of the table that hold settings."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Columns of the table that hold the scale."),
    ] = None,
    loss: Annotated[str, typer.Option(metavar="NAME", help="The column to minimise.")] = "loss",
    state: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A column that says how a run ended: done, diverged, or another."
        ),
    ] = None,
    laws: Annotated[
        bool,
        typer.Option(
            "--laws",
            help="Read columns by their customary names (lr, bs, wd; N, D, C) and take what "
            "published laws say of them as a prior. Helps with few runs.",
        ),
    ] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Predict the settings for a target from smaller runs.

    Example: maquette transfer runs.csv --settings lr,bs --scale N,D --loss loss --at N=1e9,D=2e10
    """
    target = numbers(at, "--at") if at else {}
    if Path(source).suffix or Path(source).is_file() or settings or scale:
        recipe = _from_table(source, settings, scale, (loss, state), target, laws)
    elif laws:
        raise typer.BadParameter(
            "a study's settings live in the coordinates of its parametrization, of which laws say "
            "nothing; export it and give the table's columns",
            param_hint="--laws",
        )
    else:
        recipe = stored_study(source, store).transfer(**target)
    emit(recipe.to_json(), str(recipe), as_json)


def _from_table(
    source: str,
    settings: str | None,
    scale: str | None,
    columns: tuple[str, str | None],
    target: dict[str, float],
    laws: bool,
) -> Recipe:
    if settings is None or scale is None:
        raise typer.BadParameter(
            "a table needs both, for example --settings lr,bs --scale N,D",
            param_hint=_TABLE_OPTIONS,
        )
    tuned, axes = names(settings, "--settings"), names(scale, "--scale")
    loss, state = columns
    from maquette import scaling
    from maquette.table import read_runs

    wanted = [*tuned, *axes, loss, *([state] if state else [])]
    table = read_runs(Path(source), list(dict.fromkeys(wanted)))
    meaning = scaling.recognise(tuned, axes)
    said = scaling.literature(**meaning) if laws else []
    if laws and not said:
        raise typer.BadParameter(
            f"no published law speaks of {', '.join((*tuned, *axes))}: customary names are lr, bs, "
            "wd for settings and N, D, C for the scale",
            param_hint="--laws",
        )
    recipe = scaling.fit(table, tuned, axes, loss, state=state, prior_drift=said).recipe(**target)
    if not laws and recipe.verdict.level != "trust" and scaling.literature(**meaning):
        note(
            f"{', '.join(meaning)} bear customary names: with --laws, what published laws say of "
            "them fills in what these runs do not say"
        )
    return recipe
