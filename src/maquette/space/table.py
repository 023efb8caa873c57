"""A space as a table that people read."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from maquette.space.parameter import Choice, Parameter, Scalar, needs, show

HEAD = ("name", "kind", "range", "scale", "default", "when")
WIDEST = 34


def rows(parameters: Mapping[str, Parameter], defaults: Sequence[Scalar]) -> list[tuple[str, ...]]:
    """Return one row of cells per parameter."""
    return [
        (
            name,
            type(p).__name__.lower(),
            _range(p),
            "" if isinstance(p, Choice) else "log" if p.log else "linear",
            show(default),
            needs(p),
        )
        for (name, p), default in zip(parameters.items(), defaults, strict=True)
    ]


def _range(parameter: Parameter) -> str:
    if not isinstance(parameter, Choice):
        return f"{show(parameter.low)} .. {show(parameter.high)}"
    text = " | ".join(show(v) for v in parameter.values)
    if len(text) <= WIDEST:
        return text
    count = f"... ({len(parameter.values)} values)"
    room = WIDEST - len(count) - 3
    return f"{text[:room].rpartition(' | ')[0] or text[:room]} | {count}"


def text(body: Sequence[tuple[str, ...]], constraints: Sequence[str]) -> str:
    """Write an aligned table; columns that are empty throughout are left out."""
    used = [k for k in range(len(HEAD)) if any(row[k] for row in body)]
    lines = [[HEAD[k] for k in used], *([row[k] for k in used] for row in body)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(used))]
    aligned = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    plural = "" if len(body) == 1 else "s"
    title = f"Space of {len(body)} parameter{plural}"
    tail = ["subject to", *(f"  {c}" for c in constraints)] if constraints else []
    return "\n".join([title, *(f"  {line}" for line in aligned), *tail])


def markup(body: Sequence[tuple[str, ...]], constraints: Sequence[str]) -> str:
    """Write an HTML table, for notebooks."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    table = f"<table><thead>{line(HEAD, 'th')}</thead><tbody>"
    table += "".join(line(row, "td") for row in body) + "</tbody></table>"
    listed = "".join(f"<li><code>{html.escape(c)}</code></li>" for c in constraints)
    return table + (f"<p>subject to</p><ul>{listed}</ul>" if constraints else "")
