"""The charts of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from maquette.bench import statistics as stats
from maquette.bench.report.section import Section
from maquette.report.svg import Axis, Panel

Array = NDArray[np.float64]

# Regrets below this are drawn on the lower edge of a logarithmic axis.
_FLOOR = 1e-4
_COLOURS = 12
_RATIO = 4.0  # as far as AlgoPerf's score looks


def key(section: Section) -> str:
    """Return the legend of colours."""
    items = "".join(
        f'<li><i class="o{i % _COLOURS}"></i>{escape(name)}</li>'
        for i, name in enumerate(section.optimizers)
    )
    return f'<ul class="key">{items}</ul>'


def anytime(section: Section) -> str:
    """Mean over tasks of the median regret, against what is spent."""
    return _lines(section, np.median(section.curves, axis=2).mean(axis=0), "all tasks", 640, 340)


def anytime_by_task(section: Section) -> str:
    """Median regret against what is spent, a panel a task."""
    cells = "".join(
        f"<figure><figcaption>{escape(task)}</figcaption>{_lines(section, curves, task)}</figure>"
        for task, curves in zip(section.tasks, np.median(section.curves, axis=2), strict=True)
    )
    return f'<div class="panels">{cells}</div>'


def profile(section: Section) -> str:
    """Share of runs whose regret at the end is below a threshold."""
    tau = np.geomspace(_FLOOR, 1.0, 120)
    share = stats.score_profile(section.regret, tau)
    chart = Panel(
        Axis(list(tau), log=True, room=0.0), Axis([0.0, 1.0], log=False), "runs below a regret",
        640, 300,
    )  # fmt: skip
    chart.grid("regret", "share of runs")
    for i, name in enumerate(section.optimizers):
        chart.line(tau.tolist(), share[i].tolist(), f"series o{i % _COLOURS}", name)
    return chart.svg()


def ratios(section: Section) -> str:
    """Share of tasks whose first target is reached within a multiple of the fastest time."""
    tau = np.linspace(1.0, _RATIO, 601)
    share = stats.ratio_profile(section.times[0], tau)
    chart = Panel(
        Axis([1.0, _RATIO], log=False, room=0.0), Axis([0.0, 1.0], log=False),
        "tasks reached within a multiple of the fastest time", 640, 300,
    )  # fmt: skip
    chart.grid("times the fastest", "share of tasks")
    for i, name in enumerate(section.optimizers):
        chart.line(tau.tolist(), share[i].tolist(), f"series o{i % _COLOURS}", name)
    return chart.svg()


def difference(section: Section, alpha: float = 0.05) -> str:
    """The critical-difference diagram: mean ranks, joined where they cannot be told apart.

    Empty with fewer than two tasks.
    """
    k, N = len(section.optimizers), len(section.tasks)
    if N < 2 or k < 2:
        return ""
    found = stats.friedman(section.by_task)
    ranks = found.mean_ranks
    bar = stats.critical_difference(k, N, alpha)
    order = np.argsort(ranks, kind="stable").tolist()
    groups = stats.groups(ranks, bar)
    width, left, right, top = 720.0, 150.0, 570.0, 56.0
    deepest = top + 18 + 9 * len(groups)
    rows = (k + 1) // 2
    height = deepest + 20 * rows + 14

    def x(rank: float) -> float:
        return left + (rank - 1) / (k - 1) * (right - left)

    parts = [_segment(left, top, right, top, "axis")]
    for tick in range(1, k + 1):
        parts += [_segment(x(tick), top - 5, x(tick), top, "axis")]
        parts += [_text(x(tick), top - 9, str(tick), "tick middle")]
    end = min(x(1 + bar), right + 60)
    parts += [_segment(left, 22, end, 22, "clique"), _text(left, 15, f"CD {bar:.2f}", "tick")]
    for level, group in enumerate(groups):
        y = top + 12 + 9 * level
        low, high = (float(ranks[group[i]]) for i in (0, -1))
        parts.append(_segment(x(low) - 4, y, x(high) + 4, y, "clique"))
    for place, i in enumerate(order):
        on_left = place < rows
        row = place if on_left else k - 1 - place
        y = deepest + 20 * row + 8
        edge = left - 8 if on_left else right + 8
        here = x(float(ranks[i]))
        parts += [_segment(here, top, here, y, "lead"), _segment(here, y, edge, y, "lead")]
        label = f"{section.optimizers[i]} {ranks[i]:.2f}"
        parts.append(_text(edge + (-4 if on_left else 4), y + 4, label, "tick" + " end" * on_left))
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="mean ranks with the '
        f"critical difference of Nemenyi's test at {alpha:g}\">{''.join(parts)}</svg>"
    )


def _lines(
    section: Section, curves: Array, label: str, width: float = 340.0, height: float = 230.0
) -> str:
    drawn = np.clip(curves, _FLOOR, None)
    counted = section.unit == "trials"
    grid = section.grid if counted else section.grid / section.grid[-1]
    chart = Panel(
        Axis(grid.tolist(), log=True, room=0.0),
        Axis(drawn.ravel().tolist(), log=True),
        f"regret against {section.unit}, {label}",
        width,
        height,
    )
    chart.grid("trials" if counted else f"share of the budget of {section.unit}", "regret")
    for i, name in enumerate(section.optimizers):
        xs, ys = _stairs(grid, drawn[i])
        chart.line(xs, ys, f"series o{i % _COLOURS}", f"{name}: {drawn[i][-1]:.4g}")
    return chart.svg()


def _stairs(x: Array, y: Array) -> tuple[Sequence[float], Sequence[float]]:
    return np.repeat(x, 2)[1:].tolist(), np.repeat(y, 2)[:-1].tolist()


def _segment(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
