"""The figure of a check: what should be flat against the width, tensor by tensor.

Drawn from the figure's data alone, as one SVG file or one HTML file that need nothing else.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from maquette.errors import DataError
from maquette.files import write_whole
from maquette.report.svg import Axis, Panel

WIDTH, HEIGHT, TITLE, GAP = 420.0, 280.0, 26.0, 16.0
_STYLE = """
svg { background: #fff; font: 11px system-ui, sans-serif; }
.grid { stroke: #e6e6e6; } .axis, .mark { stroke: #888; }
.tick, .name, .note { fill: #444; } .title { fill: #111; font-weight: 600; font-size: 13px; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.sound { fill: none; stroke: #4477aa; stroke-opacity: .55; stroke-width: 1.4; }
.faulty { fill: none; stroke: #cc3311; stroke-width: 2.4; }
"""


def write_figure(figure: Mapping[str, Any], text: str, path: str | os.PathLike[str]) -> Path:
    """Write a check's figure as ``.svg``, or with the report's text as ``.html``.

    Raises
    ------
    DataError
        The file's name ends in neither, or it cannot be written.
    """
    file = Path(path)
    if file.suffix.lower() not in (".svg", ".html"):
        raise DataError(
            f"{file} is neither .svg nor .html", hint="for example -o check.svg, -o check.html"
        )
    drawing = svg(figure)
    if file.suffix.lower() == ".html":
        drawing = (
            '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>maquette check</title>\n'
            "<body style='max-width: 60em; margin: 2em auto; font-family: system-ui'>\n"
            f"{drawing}\n<pre>{escape(text)}</pre>\n</body></html>\n"
        )
    try:
        write_whole(file, drawing)
    except OSError as error:
        raise DataError(f"the figure cannot be written to {file}: {error.strerror}") from None
    return file


def svg(figure: Mapping[str, Any]) -> str:
    """Return the drawing: panels two abreast."""
    drawn = [(p["title"], _panel(p)) for p in figure["panels"]]
    for one in figure["sweeps"]:
        drawn.append((f"final loss against learning rate, by {one['axis']}", _sweep(one)))
    columns = min(len(drawn), 2) or 1
    rows = -(-len(drawn) // columns)
    width = columns * (WIDTH + GAP) + GAP
    height = rows * (HEIGHT + TITLE + GAP) + GAP
    parts = []
    for i, (title, panel) in enumerate(drawn):
        x = GAP + (i % columns) * (WIDTH + GAP)
        y = GAP + (i // columns) * (HEIGHT + TITLE + GAP)
        inner = panel.svg().replace("<svg ", f'<svg width="{WIDTH:g}" height="{HEIGHT:g}" ', 1)
        parts.append(
            f'<text class="title" x="{x:g}" y="{y + 14:g}">{escape(title)}</text>'
            f'<g transform="translate({x:g} {y + TITLE:g})">{inner}</g>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}"><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _panel(data: Mapping[str, Any]) -> Panel:
    """Every tensor's values over its first, so that flat is 1 for all."""
    lines = [(line, [y / line["y"][0] for y in line["y"]]) for line in data["lines"]]
    xs = sorted({x for line, _ in lines for x in line["x"]})
    everything = [y for _, ys in lines for y in ys]
    panel = Panel(
        Axis(xs, log=True),
        Axis([0.5, 2.0, *everything], log=True),
        f"{data['title']} against {data['axis']}",
        WIDTH,
        HEIGHT,
    )
    panel.grid(data["axis"], "relative to the smallest", xs)
    for line, ys in sorted(lines, key=lambda pair: pair[0]["faulty"]):
        title = f"{line['name']}: {line['exponent']:+.2f} ± {line['error']:.2f}"
        panel.line(line["x"], ys, "faulty" if line["faulty"] else "sound", title)
    return panel


def _sweep(data: Mapping[str, Any]) -> Panel:
    lines: Sequence[Mapping[str, Any]] = data["lines"]
    panel = Panel(
        Axis([x for line in lines for x in line["x"]], log=True),
        Axis([y for line in lines for y in line["y"]], log=False),
        "final loss against learning rate, a line for each scale",
        WIDTH,
        HEIGHT,
    )
    panel.grid("learning rate", "loss")
    for line in lines:
        panel.line(line["x"], line["y"], "sound", line["name"])
        panel.note(panel.px(line["x"][0]) + 2, panel.py(line["y"][0]) - 4, line["name"])
    for at, rate in data["best"].items():
        name = f"{data['axis']} {float(at):g}"
        panel.dot(rate, _lowest(lines, name), "faulty", f"best at {name}")
    return panel


def _lowest(lines: Sequence[Mapping[str, Any]], name: str) -> float:
    ys = [y for line in lines if line["name"] == name for y in line["y"]]
    return min(filter(math.isfinite, ys), default=0.0)
