"""Runs that a verb fits: a table with the names of its columns, or a study."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maquette.cli.open import stored_study
from maquette.cli.values import names

if TYPE_CHECKING:
    from maquette.scaling import DriftModel
    from maquette.scaling.cost import Paid
    from maquette.scaling.literature import Statement

Settings = Annotated[
    str | None,
    typer.Option(metavar="NAME,...", help="Columns of the table that hold settings."),
]
Scale = Annotated[
    str | None,
    typer.Option(metavar="NAME,...", help="Columns of the table that hold the scale."),
]
Loss = Annotated[str, typer.Option(metavar="NAME", help="The column to minimise.")]
State = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="A column that says how a run ended: done, diverged, or another."
    ),
]


def is_table(source: str, settings: str | None, scale: str | None) -> bool:
    """Whether a source is a file rather than a study's name."""
    return bool(Path(source).suffix or Path(source).is_file() or settings or scale)


def drift_model(
    source: str,
    columns: tuple[str | None, str | None],
    outcome: tuple[str, str | None],
    store: str | None,
    laws: bool = False,
) -> DriftModel:
    """Fit the runs of a table, or of a study.

    Parameters
    ----------
    source
        A file or a study's name.
    columns
        ``--settings`` and ``--scale``.
    outcome
        ``--loss`` and ``--state``.
    store
        The store's URL, for a study.
    laws
        Whether columns with customary names take what published laws say of them as a prior.
    """
    if not is_table(source, *columns):
        from maquette.study.evidence import fit_drift

        return fit_drift(source, stored_study(source, store).history)
    if columns[0] is None or columns[1] is None:
        raise typer.BadParameter(
            "a table needs both, for example --settings lr,bs --scale N,D",
            param_hint="--settings and --scale",
        )
    tuned, axes = names(columns[0], "--settings"), names(columns[1], "--scale")
    loss, state = outcome
    from maquette import scaling
    from maquette.table import read_runs

    wanted = [*tuned, *axes, loss, *([state] if state else [])]
    table = read_runs(Path(source), list(dict.fromkeys(wanted)))
    positive = [n for n in tuned if not any(isinstance(v, float) and v <= 0 for v in table[n])]
    said = said_of(positive, axes) if laws else []
    if laws and not said:
        raise typer.BadParameter(
            f"no published law speaks of {', '.join((*tuned, *axes))}: customary names are lr, bs, "
            "wd for settings and N, D, C for the scale",
            param_hint="--laws",
        )
    return scaling.fit(table, tuned, axes, loss, state=state, prior_drift=said)


def paid(source: str, columns: tuple[str, str], outcome: tuple[str, str | None]) -> Paid:
    """Read what the runs of a table cost.

    Parameters
    ----------
    source
        The file.
    columns
        ``--cost`` and ``--scale``.
    outcome
        ``--loss`` and ``--state``: runs that did not go to their end say nothing of a cost.
    """
    from maquette.scaling.cost import Paid
    from maquette.scaling.runs import ENDED
    from maquette.table import read_runs

    (cost, scale), (loss, state) = columns, outcome
    axes = names(scale, "--scale")
    wanted = [*axes, loss, cost, *([state] if state else [])]
    table = read_runs(Path(source), list(dict.fromkeys(wanted)), numbers=[cost], positive=axes)
    ended = [
        math.isfinite(y) and (state is None or str(table[state][i]).strip().lower() in ENDED)
        for i, y in enumerate(table[loss])
    ]
    kept = [i for i, whole in enumerate(ended) if whole]
    scales = [[float(table[a][i]) for a in axes] for i in kept]
    found = Paid(tuple(axes), [float(table[cost][i]) for i in kept], scales, cost)
    if not any(c > 0 for c in found.costs):
        raise typer.BadParameter(
            f"no run that went to its end has a positive {cost}", param_hint="--cost"
        )
    return found


def said_of(tuned: list[str], axes: list[str]) -> list[Statement]:
    """Return what published laws say of columns with customary names."""
    from maquette import scaling

    return scaling.literature(**scaling.recognise(tuned, axes))
