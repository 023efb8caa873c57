"""Which columns of a source are settings, which the scale, and what is optimised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from maquette.errors import DataError, nearest
from maquette.integrations.imports.runs import Run, Source
from maquette.objective import Objective

# What is minimised where a source has one of these and nobody says otherwise.
LOSSES = ("eval_loss", "eval/loss", "val_loss", "val/loss", "valid_loss", "validation_loss", "loss")


@final
@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user said of the columns.

    Attributes
    ----------
    objective
        ``loss``, ``max:accuracy``; None: the source's own, or a loss by its customary name.
    settings, scale
        Names; no settings: all that a config holds.
    target
        Axis to value; axes left out stand at the largest value tried.
    """

    objective: str | None = None
    settings: Sequence[str] = ()
    scale: Sequence[str] = ()
    target: Mapping[str, float] | None = None


def objective_of(source: Source, wanted: Wanted) -> Objective:
    """Return what is optimised.

    Raises
    ------
    DataError
        If no run has such a metric, or nothing tells which is meant.
    """
    counted = Counter(name for run in source.runs for name in run.metrics)
    numeric = [name for name, _ in counted.most_common()]
    if wanted.objective is not None:
        objective = Objective.parse(wanted.objective)
        if objective.primary not in counted:
            raise DataError(
                f"no run has a metric {objective.primary!r}." + nearest(objective.primary, numeric)
            )
        return objective
    if source.objective is not None:
        return source.objective
    customary = [name for name in LOSSES if name in counted]
    if customary or (len(numeric) == 1 and not source.mixed):
        return Objective(minimize=(customary or numeric)[0])
    shown = ", ".join(numeric[:12]) + (", ..." if len(numeric) > 12 else "")
    texts = {name: value for run in source.runs for name, value in run.config.items()}
    spoiled = [name for name in LOSSES if isinstance(texts.get(name), str)]
    if spoiled:
        raise DataError(
            f"{spoiled[0]} is no metric: no run has a number there, but for example "
            f"{texts[spoiled[0]]!r}",
            hint="mend that column, or name another metric: --objective max:accuracy",
        )
    raise DataError(
        f"which metric is optimised? There are: {shown or 'none'}",
        hint="--objective loss, or --objective max:accuracy",
    )


def settings_of(source: Source, wanted: Wanted, objective: Objective) -> list[str]:
    """Return the names of settings, in the order in which they appear.

    Raises
    ------
    DataError
        If a name is unknown or stands for two things; every one is said.
    """
    known = list(dict.fromkeys(name for run in source.runs for name in run.config))
    problems = [
        f"{what}: no column {name!r}." + nearest(name, known)
        for what, names in (("--settings", wanted.settings), ("--scale", wanted.scale))
        for name in names
        if name not in known
    ]
    problems += [
        f"{name!r} is both a setting and a scale axis"
        for name in wanted.settings
        if name in wanted.scale
    ]
    problems += [
        f"{name!r} is optimised, and so no setting"
        for name in (*wanted.settings, *wanted.scale)
        if name in objective.metrics
    ]
    if problems:
        raise DataError(problems)
    if wanted.settings:
        return list(wanted.settings)
    if source.mixed:
        rest = [n for n in known if n not in objective.metrics and n not in wanted.scale]
        raise DataError(
            "settings and metrics stand side by side in this file: say which columns are settings",
            hint=f"--settings NAME,...; there are: {', '.join(rest[:20])}",
        )
    return [name for name in known if name not in wanted.scale]


def cell_of(run: Run, axes: Sequence[str]) -> dict[str, float] | str:
    """Return a run's cell of the scale, or why it has none."""
    cell: dict[str, float] = {}
    for name in axes:
        value = run.config.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            return f"{name} is {'missing' if value is None else repr(value)}, not a positive number"
        cell[name] = float(value)
    return cell
