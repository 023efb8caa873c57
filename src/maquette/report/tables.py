"""The recipe's table and the trials' table."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from maquette.report.around import cheap
from maquette.report.boundary import flatness, held_back
from maquette.report.evidence import Evidence
from maquette.report.words import ranged, short
from maquette.space import Choice


def recipe_table(evidence: Evidence) -> str:
    """Every setting: what to use, the interval, what costs under 1 %, and how it moves."""
    recipe, model = evidence.recipe, evidence.model
    if recipe is None or model is None:
        return best_table(evidence)
    flat = flatness(evidence)
    edges = {name: side for name, side, _ in held_back(evidence)}
    axes = list(dict.fromkeys(a for by in recipe.drift.values() for a in by))
    head = "".join(f"<th>goes with {escape(a)} as</th>" for a in axes)
    rows = []
    for name, value in recipe.config.items():
        cells = [
            f"<th>{escape(name)}</th>",
            f'<td class="value">{escape(short(value))}</td>',
            f"<td>{_within(evidence, name, recipe.interval.get(name))}</td>",
            f"<td>{ranged(*flat[name]) if name in flat else ''}</td>",
        ]
        for a in axes:
            cells.append(f"<td>{_exponent(recipe, name, a)}</td>")
        cells.append(f"<td>{f'on its {edges[name]} end' if name in edges else ''}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="scroll"><table class="recipe"><thead><tr><th>setting</th><th>use</th>'
        f"<th>90 % interval</th><th>costs under 1 %</th>{head}<th>range</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def best_table(evidence: Evidence) -> str:
    """The best config, where there is no target."""
    best = evidence.best
    if best is None:
        return ""
    fitted = {name: ranged(*ends) for name, ends in flatness(evidence).items()}
    flat = fitted or {name: told.removeprefix("from ") for name, told in cheap(evidence).items()}
    rows = "".join(
        f'<tr><th>{escape(name)}</th><td class="value">{escape(short(value))}</td>'
        f"<td>{escape(flat.get(name, ''))}</td></tr>"
        for name, value in best.config.items()
    )
    return (
        '<div class="scroll"><table class="recipe"><thead><tr><th>setting</th><th>best</th>'
        f"<th>costs under 1 %</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _exponent(recipe: Any, name: str, axis: str) -> str:
    if axis not in recipe.drift.get(name, {}):
        return ""
    low, high = recipe.drift_interval[name][axis]
    if name in recipe.linear:  # by an amount, not a factor
        mean, low, high = (v * math.log(10) for v in (recipe.drift[name][axis], low, high))
        return f"{mean:+.3g} a tenfold <small>({low:+.3g} to {high:+.3g})</small>"
    return f"{recipe.drift[name][axis]:+.2f} <small>({low:+.2f} to {high:+.2f})</small>"


def _within(evidence: Evidence, name: str, interval: tuple[float, float] | None) -> str:
    """An interval as text, and as a bar inside the space's range."""
    if interval is None:
        return ""
    text = f"<span>{ranged(*interval)}</span>"
    parameter = dict(evidence.history.space.items()).get(name)
    if parameter is None or isinstance(parameter, Choice) or parameter.low == parameter.high:
        return text
    low, high, ends = float(parameter.low), float(parameter.high), list(interval)
    if parameter.log:
        low, high = math.log(low), math.log(high)
        ends = [math.log(max(e, 1e-300)) for e in ends]
    a, b = (100 * min(max((e - low) / (high - low), 0.0), 1.0) for e in ends)
    bar = f'<span class="range"><b style="left:{a:.1f}%;width:{max(b - a, 1):.1f}%"></b></span>'
    return text + bar


def trial_table(evidence: Evidence) -> str:
    """Every trial, sortable by every column, with its state in words."""
    history = evidence.history
    names, axes = list(history.space), list(history.axes)
    head = ["trial", "state", "loss", *axes, *names, "seconds", "from"]
    rows = []
    for t in history.trials:
        final = history.objective.value(t.loss) if math.isfinite(t.loss) else math.nan
        values: list[Any] = [t.number, t.state.value, final]
        values += [t.scale.get(a, math.nan) for a in axes]
        values += [t.config.get(n, "") for n in names]
        values += [t.seconds, t.origin]
        cells = "".join(_cell(v, i) for i, v in enumerate(values))
        title = (
            f' title="{escape(t.message.splitlines()[0][:200], quote=True)}"' if t.message else ""
        )
        rows.append(f'<tr data-state="{t.state.value}"{title}>{cells}</tr>')
    titles = "".join(
        f'<th><button data-column="{i}">{escape(name)}</button></th>' for i, name in enumerate(head)
    )
    return (
        f'<div class="scroll tall"><table class="trials" id="trials"><thead><tr>{titles}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(value: Any, column: int) -> str:
    if column == 1:
        return f'<td data-v="{escape(str(value))}"><span class="state {value}">{value}</span></td>'
    if isinstance(value, float) and math.isnan(value):
        return '<td data-v=""></td>'
    digits = 5 if column == 2 else 3
    shown = short(value, digits)
    return f'<td data-v="{escape(str(value), quote=True)}">{escape(shown)}</td>'
