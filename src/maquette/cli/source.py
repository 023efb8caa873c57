"""Runs that a verb fits: a table with the names of its columns, or a study."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

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


@final
@dataclass(frozen=True, slots=True)
class Runs:
    """Runs as a verb's options name them.

    Attributes
    ----------
    source
        A file or a study's name.
    settings, scale, loss, state
        Of a table: the options of these names.
    store
        The store's URL, for a study.
    """

    source: str
    settings: str | None
    scale: str | None
    loss: str
    state: str | None
    store: str | None

    @property
    def in_table(self) -> bool:
        """Whether they are in a file rather than in a study."""
        path = Path(self.source)
        return bool(path.suffix or path.is_file() or self.settings or self.scale)


def drift_model(runs: Runs, laws: bool = False) -> DriftModel:
    """Fit the runs of a table, or of a study.

    `laws`: whether columns with customary names take what published laws say of them as a prior.
    """
    if not runs.in_table:
        from maquette.study.evidence import fit_drift

        return fit_drift(runs.source, stored_study(runs.source, runs.store).history)
    if runs.settings is None or runs.scale is None:
        raise typer.BadParameter(
            "a table needs both, for example --settings lr,bs --scale N,D",
            param_hint="--settings and --scale",
        )
    tuned, axes = names(runs.settings, "--settings"), names(runs.scale, "--scale")
    from maquette import scaling
    from maquette.table import read_runs

    wanted = [*tuned, *axes, runs.loss, *([runs.state] if runs.state else [])]
    table = read_runs(Path(runs.source), list(dict.fromkeys(wanted)))
    positive = [n for n in tuned if not any(isinstance(v, float) and v <= 0 for v in table[n])]
    said = said_of(positive, axes) if laws else []
    if laws and not said:
        raise typer.BadParameter(
            f"no published law speaks of {', '.join((*tuned, *axes))}: customary names are lr, bs, "
            "wd for settings and N, D, C for the scale",
            param_hint="--laws",
        )
    return scaling.fit(table, tuned, axes, runs.loss, state=runs.state, prior_drift=said)


def paid(runs: Runs, scale: str, cost: str) -> Paid:
    """Read what the runs of a table cost, from the columns ``--scale`` and ``--cost``.

    Runs that did not go to their end say nothing of a cost.
    """
    from maquette.scaling.cost import Paid
    from maquette.scaling.runs import ENDED
    from maquette.table import read_runs

    axes, loss, state = names(scale, "--scale"), runs.loss, runs.state
    wanted = [*axes, loss, cost, *([state] if state else [])]
    table = read_runs(Path(runs.source), list(dict.fromkeys(wanted)), numbers=[cost], positive=axes)
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
