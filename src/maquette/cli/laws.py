"""``maquette laws``: what each published law says at a scale, beside what runs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maquette.cli.options import AsJson, StoreUrl
from maquette.cli.output import emit
from maquette.cli.source import Loss, Runs, Scale, Settings, State, drift_model
from maquette.cli.values import numbers

if TYPE_CHECKING:
    from maquette.scaling import Recipe
    from maquette.scaling.laws import Saying


def laws(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUNS.csv|STUDY]",
            help="Your own runs, to stand beside the laws.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str,
        typer.Option(
            metavar="AXIS=VALUE,...",
            help="The scale: N parameters and D tokens, or C FLOPs and one of them; batch (tokens "
            "a step), lr, unique (tokens before any repeats), G (granularity of experts) if known.",
            show_default=False,
        ),
    ] = "",
    optimizer: Annotated[
        str, typer.Option(metavar="NAME", help="The optimizer that the laws should speak of.")
    ] = "adamw",
    settings: Settings = None,
    scale: Scale = None,
    loss: Loss = "loss",
    state: State = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tell what each published law says at a scale, with its source and range.

    Example: maquette laws --at N=1e9,D=2e10
    """
    if not at:
        raise typer.BadParameter("say where, for example --at N=1e9,D=2e10", param_hint="--at")
    target = numbers(at, "--at")
    from maquette.scaling import laws as published

    says = published.laws(target, optimizer)
    place = published.point(target)
    ours = None
    if source is not None:
        model = drift_model(Runs(source, settings, scale, loss, state, store))
        axes = [axis.name for axis in model.runs.axes]
        named = {a: v for a in axes if (v := _value(a, target, place)) is not None}
        ours = model.recipe(**named)
    document = {
        "at": place,
        "optimizer": optimizer,
        "laws": [s.to_json() for s in says],
        "middle": {q: m for q in published.UNITS if (m := published.middle(says, q)) is not None},
        "ours": ours.to_json() if ours else None,
    }
    emit(document, _sentences(says, place, ours), as_json)


def _value(axis: str, target: Mapping[str, float], place: Mapping[str, float]) -> float | None:
    return target.get(axis, place.get(axis))


def _sentences(says: Sequence[Saying], place: Mapping[str, float], ours: Recipe | None) -> str:
    from maquette.cli.output import table
    from maquette.scaling.laws import UNITS, middle

    where = ", ".join(f"{axis} {value:.4g}" for axis, value in place.items())
    lines = [f"At {where}:"]
    if not says:
        lines.append("no law speaks of that scale alone; give N and D, or C")
    for quantity, unit in UNITS.items():
        mine = [s for s in says if s.quantity == quantity]
        if not mine:
            continue
        lines += ["", f"{quantity} ({unit})"]
        rows = [(f"  {s.law.name}", f"{s.value:.4g}", s.text, _remarks(s)) for s in mine]
        lines += table(("", "value", "formula", ""), rows).splitlines()[1:]
        centre = middle(says, quantity)
        if centre is not None and len(mine) > 1:
            lines.append(f"  the middle of those that were checked: {centre:.4g}")
    sources = {s.law.name: f"  {s.law.name}: {s.law.source}. {s.law.conditions}." for s in says}
    lines += ["", *_regime(place, says), "Sources and conditions", *sources.values()]
    if ours is not None:
        lines += ["", f"From your {ours.runs} runs", str(ours)]
    return "\n".join(lines)


def _remarks(saying: Saying) -> str:
    parts = []
    for axis, factor in saying.outside.items():
        times = factor if factor > 1 else 1 / factor
        end = "above" if factor > 1 else "below"
        parts.append(f"{axis} {times:.2g}x {end} the fitted range")
    if saying.law.checked == "unverified":
        parts.append("constant unverified")
    if not saying.law.transfers and saying.quantity == "lr":
        parts.append("not for use as it stands")
    return "; ".join(parts)


def _regime(place: Mapping[str, Any], says: Sequence[Saying]) -> list[str]:
    from maquette.scaling.laws import middle, token_exponent

    best = middle(says, "batch")
    if "batch" not in place or best is None:
        return []
    slope = token_exponent(place["batch"], best)
    moves = "falls" if slope < 0 else "rises"
    return [
        f"A batch of {place['batch']:.3g} is {place['batch'] / best:.2g} of the laws' best one: at "
        f"a fixed batch there, the best learning rate {moves} with tokens, about as D^{slope:+.2f} "
        "(measured between the cells of the Step Law table).",
        "",
    ]
