"""A panel of a chart in SVG: axes, ticks, lines, bands and dots, drawn by hand.

Colours and fonts come from the page's style sheet through classes, so that one drawing serves
light and dark. Every text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import final

from maquette.report.words import short

LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 12.0, 36.0


@final
class Axis:
    """Maps values to places along one side of a panel.

    Parameters
    ----------
    values
        What must be visible; values that are not finite (or, in log, not positive) do not count.
    log
        Whether the axis is logarithmic.
    room
        Share of the span that is left free at both ends.
    """

    def __init__(self, values: Sequence[float | None], *, log: bool, room: float = 0.06) -> None:
        kept = [v for v in values if v is not None and math.isfinite(v) and (v > 0 or not log)]
        ends = [min(kept), max(kept)] if kept else [1.0, 10.0]
        self.log = log
        low, high = (math.log(e) if log else e for e in ends)
        if high - low < 1e-12:
            low, high = low - 0.5, high + 0.5
        free = room * (high - low)
        self.low, self.high = low - free, high + free

    def part(self, value: float) -> float:
        """Return how far along the axis a value lies: 0 at its start, 1 at its end."""
        if self.log:
            value = math.log(value) if value > 0 else self.low
        return min(max((value - self.low) / (self.high - self.low), -0.05), 1.05)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values inside the axis."""
        return _log_ticks(self, most) if self.log else _linear_ticks(self.low, self.high, most)


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]


def _log_ticks(axis: Axis, most: int) -> list[float]:
    low, high = axis.low / math.log(10), axis.high / math.log(10)
    powers = range(math.floor(low), math.ceil(high) + 1)
    for marks in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [m * 10.0**p for p in powers for m in marks]
        inside = [v for v in found if axis.low <= math.log(v) <= axis.high]
        if len(inside) <= most:
            break
    if len(inside) >= 2:
        return inside[:: math.ceil(len(inside) / most)]
    # Less than a factor of two: round values, as on a linear axis.
    return [v for v in _linear_ticks(math.exp(axis.low), math.exp(axis.high), most) if v > 0]


@final
class Panel:
    """One chart: elements are added, then `svg` gives the drawing.

    Parameters
    ----------
    x, y
        The axes.
    label
        What a screen reader says.
    width, height
        In pixels of the drawing.
    """

    def __init__(
        self, x: Axis, y: Axis, label: str, width: float = 340.0, height: float = 230.0
    ) -> None:
        self.x, self.y, self.label = x, y, label
        self.width, self.height = width, height
        self._parts: list[str] = []

    def px(self, value: float) -> float:
        """Return the horizontal place of a value."""
        return LEFT + self.x.part(value) * (self.width - LEFT - RIGHT)

    def py(self, value: float) -> float:
        """Return the vertical place of a value."""
        return self.height - BOTTOM - self.y.part(value) * (self.height - TOP - BOTTOM)

    def grid(self, x_name: str, y_name: str, x_ticks: Sequence[float] | None = None) -> None:
        """Draw ticks, their lines and the axes' names; no ticks at all for empty `x_ticks`."""
        bottom, right = self.height - BOTTOM, self.width - RIGHT
        for v in self.y.ticks(5):
            y = self.py(v)
            self._add(
                f'<line class="grid" x1="{LEFT}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            self._text(LEFT - 7, y + 3.5, short(v), "tick end")
        for v in self.x.ticks(5) if x_ticks is None else x_ticks:
            x = self.px(v)
            self._add(
                f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
            )
            self._text(x, bottom + 15, short(v), "tick middle")
        self._add(f'<line class="axis" x1="{LEFT}" x2="{right:.1f}" y1="{bottom}" y2="{bottom}"/>')
        self._text((LEFT + right) / 2, self.height - 5, x_name, "name middle")
        self._add(
            f'<text class="name middle" transform="translate(11 {(TOP + bottom) / 2:.1f}) '
            f'rotate(-90)">{escape(y_name)}</text>'
        )

    def line(self, xs: Sequence[float], ys: Sequence[float], kind: str, title: str = "") -> None:
        """Draw a line through points; points that are not finite are left out."""
        points = self._points(xs, ys)
        if points:
            body = f"<title>{escape(title)}</title>" if title else ""
            self._add(f'<polyline class="{kind}" points="{points}">{body}</polyline>')

    def band(
        self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], kind: str
    ) -> None:
        """Fill between two lines."""
        points = f"{self._points(xs, low)} {self._points(xs[::-1], high[::-1])}"
        self._add(f'<polygon class="{kind}" points="{points.strip()}"/>')

    def columns(self, low: float, high: float, kind: str) -> None:
        """Fill the full height between two values of x."""
        a, b = sorted((self.px(low), self.px(high)))
        self._add(
            f'<rect class="{kind}" x="{a:.1f}" y="{TOP}" width="{max(b - a, 1):.1f}" '
            f'height="{self.height - TOP - BOTTOM:.1f}"/>'
        )

    def dot(self, x: float, y: float, kind: str, title: str, size: float = 3.0) -> None:
        """Draw a dot with a title that shows on hover."""
        self._add(
            f'<circle class="{kind}" cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="{size}">'
            f"<title>{escape(title)}</title></circle>"
        )

    def cross(self, x: float, y: float, kind: str, title: str, size: float = 3.2) -> None:
        """Draw a small cross."""
        a, b = self.px(x), self.py(y)
        path = (
            f"M{a - size:.1f} {b - size:.1f}L{a + size:.1f} {b + size:.1f}"
            f"M{a - size:.1f} {b + size:.1f}L{a + size:.1f} {b - size:.1f}"
        )
        self._add(f'<path class="{kind}" d="{path}"><title>{escape(title)}</title></path>')

    def diamond(self, x: float, y: float, kind: str, title: str, size: float = 6.0) -> None:
        """Draw a diamond."""
        a, b = self.px(x), self.py(y)
        path = f"M{a:.1f} {b - size:.1f}L{a + size:.1f} {b:.1f}L{a:.1f} {b + size:.1f}"
        path += f"L{a - size:.1f} {b:.1f}Z"
        self._add(f'<path class="{kind}" d="{path}"><title>{escape(title)}</title></path>')

    def whisker(self, x: float, low: float, high: float, kind: str) -> None:
        """Draw a vertical interval."""
        a = self.px(x)
        self._add(
            f'<line class="{kind}" x1="{a:.1f}" x2="{a:.1f}" y1="{self.py(low):.1f}" '
            f'y2="{self.py(high):.1f}"/>'
        )

    def note(self, x: float, y: float, text: str, kind: str = "note") -> None:
        """Write a text at a place of the panel, in pixels."""
        self._text(x, y, text, kind)

    def svg(self) -> str:
        """Return the drawing."""
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'aria-label="{escape(self.label, quote=True)}">{"".join(self._parts)}</svg>'
        )

    def _points(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        return " ".join(
            f"{self.px(x):.1f},{self.py(y):.1f}"
            for x, y in zip(xs, ys, strict=True)
            if y is not None and math.isfinite(y) and math.isfinite(x)
        )

    def _text(self, x: float, y: float, text: str, kind: str) -> None:
        self._add(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>')

    def _add(self, part: str) -> None:
        self._parts.append(part)
