"""From figures as data to drawings: one function a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from maquette.report.svg import Axis, Panel
from maquette.report.words import percent, short

STYLED = ("recipe", "copied")  # runs at the target that the style sheet knows by name


def panels(drawings: Sequence[tuple[str, str]], kind: str = "") -> str:
    """Return titled drawings as a grid."""
    cells = "".join(
        f"<figure><figcaption>{title}</figcaption>{drawing}</figure>" for title, drawing in drawings
    )
    return f'<div class="panels {kind}">{cells}</div>'


def curves(figure: Sequence[dict[str, Any]]) -> str:
    """Learning curves, one panel a cell; both axes logarithmic where losses allow."""
    drawings = []
    for panel in figure:
        lines = panel["lines"]
        ys = [y for line in lines for y in [*line["y"], line["final"]] if y is not None]
        xs = [x for line in lines for x in line["x"] if x > 0]
        kept = sorted(ys)
        # A few runs that blow up must not press all others into a line at the bottom.
        cap = 1.05 * kept[int(0.97 * (len(kept) - 1))] if kept and kept[0] > 0 else max(kept)
        log = bool(kept) and kept[0] > 0
        chart = Panel(
            Axis([*xs, max(xs, default=1.0)], log=True, room=0.02),
            Axis([min(y, cap) for y in ys], log=log),
            f"learning curves, {panel['title']}",
        )
        chart.grid(panel["key"], "loss")
        for line in sorted(lines, key=lambda line: _order(line["state"])):
            _curve(chart, line, cap)
        drawings.append((_counted(panel), chart.svg()))
    return panels(drawings)


def _curve(chart: Panel, line: dict[str, Any], cap: float) -> None:
    kind = line["state"]
    if kind == "target":
        kind = line["name"] if line["name"] in STYLED else "done"
    final = line["final"]
    text = line["name"] + (f": {short(final, 5)}" if final is not None else f" ({line['state']})")
    pairs = [(x, min(y, cap)) for x, y in zip(line["x"], line["y"], strict=True) if x > 0]
    if not pairs:
        return
    xs, ys = [p[0] for p in pairs], [p[1] for p in pairs]
    chart.line(xs, ys, f"curve {kind}", text)
    if line["state"] in ("stopped", "diverged"):
        chart.cross(xs[-1], ys[-1], f"end {kind}", text)
    elif final is not None:
        chart.dot(xs[-1], min(final, cap), f"end {kind}", text, 2.4)


def _order(state: str) -> int:
    order = ("stopped", "diverged", "running", "done", "target")
    return order.index(state) if state in order else 2


def _counted(panel: dict[str, Any]) -> str:
    states: dict[str, int] = {}
    for line in panel["lines"]:
        states[line["state"]] = states.get(line["state"], 0) + 1
    if "target" in states:
        return escape(panel["title"])
    counts = ", ".join(f"{n} {escape(state)}" for state, n in states.items())
    return f"{escape(panel['title'])} <small>{counts}</small>"


def optimum(figure: Sequence[dict[str, Any]]) -> str:
    """Optimum against scale: the fit with its interval, the best runs, the recipe."""
    drawings = []
    for f in figure:
        ys = [*f["low"], *f["high"], *f["interval"], *[d["y"] for d in f["dots"]]]
        x = Axis([*f["x"], *f["tried"]], log=True, room=0.08)
        chart = Panel(x, Axis(ys, log=f["log"]), f"best {f['setting']} against {f['axis']}")
        chart.columns(f["tried"][0], f["tried"][1], "tried")
        ticks = sorted({d["x"] for d in f["dots"]} | {f["target"][0]})
        chart.grid(f["axis"], f["setting"], ticks if len(ticks) < 6 else None)
        chart.band(f["x"], f["low"], f["high"], "band")
        chart.line(f["x"], f["mean"], "fit")
        for d in f["dots"]:
            chart.dot(d["x"], d["y"], f"run rank{d['rank']}", f"trial {d['trial']}", 3.4)
        tx, ty = f["target"]
        chart.whisker(tx, f["interval"][0], f["interval"][1], "interval")
        chart.diamond(tx, ty, "mark-recipe", f"the recipe: {short(ty)}")
        low, high = f["exponent_interval"]
        moves = "moves" if low > 0 or high < 0 else "holds"
        told = f"<sup>{f['exponent']:+.2f}</sup> ({low:+.2f} to {high:+.2f})"
        if f["linear"]:  # by an amount, not a factor
            mean, low, high = (v * math.log(10) for v in (f["exponent"], low, high))
            told = f" {mean:+.3g} a tenfold ({low:+.3g} to {high:+.3g})"
        title = f"{escape(f['setting'])} <small class='{moves}'>{escape(f['axis'])}{told}</small>"
        drawings.append((title, chart.svg()))
    return panels(drawings)


def predicted(figure: dict[str, Any]) -> str:
    """Predicted against measured loss, with the line where both are equal."""
    points, targets = figure["points"], figure["targets"]
    values = [v for p in [*points, *targets] for v in (p["predicted"], p["measured"])]
    values += [v for p in targets for v in (p["low"], p["high"])]
    log = min(values) > 0
    x, y = Axis(values, log=log), Axis(values, log=log)
    chart = Panel(x, y, "predicted against measured loss", 460, 360)
    chart.grid("measured loss", "predicted loss")
    ends = [min(values), max(values)]
    chart.line(ends, ends, "equal")
    cells = list(dict.fromkeys(p["cell"] for p in points))
    for p in points:
        kind = f"run cell{cells.index(p['cell']) % 8}"
        text = f"{p['name']} at {p['cell']}: measured {short(p['measured'], 5)}"
        text += f", predicted {short(p['predicted'], 5)}"
        chart.dot(p["measured"], p["predicted"], kind, text, 3)
    for p in targets:
        chart.whisker(p["measured"], p["low"], p["high"], "interval")
        text = f"{p['name']}: measured {short(p['measured'], 5)}, "
        text += f"predicted {short(p['predicted'], 5)}"
        chart.diamond(p["measured"], p["predicted"], "mark-recipe", text, 7)
    keys = "".join(
        f'<li><i class="run cell{i % 8}"></i>{escape(cell)}</li>' for i, cell in enumerate(cells)
    )
    legend = f'<ul class="key">{keys}</ul>' if len(cells) > 1 else ""
    return f'<figure class="wide">{chart.svg()}{legend}</figure>'


def valleys(figure: Sequence[dict[str, Any]]) -> str:
    """Loss against every setting by cell, with the fitted valleys; one tab a setting."""
    tabs, bodies = [], []
    for i, f in enumerate(figure):
        drawings = [(escape(p["title"]), _valley(f, p)) for p in f["panels"]]
        chosen = "true" if i == 0 else "false"
        tabs.append(
            f'<button role="tab" aria-selected="{chosen}" data-tab="{i}">'
            f"{escape(f['setting'])}</button>"
        )
        bodies.append(f'<div class="tab" data-tab="{i}">{panels(drawings)}</div>')
    return f'<div class="tabs"><div role="tablist">{"".join(tabs)}</div>{"".join(bodies)}</div>'


def _valley(f: dict[str, Any], p: dict[str, Any]) -> str:
    ys = sorted([q["y"] for q in p["points"]])
    # The valley's floor matters; a run far up its slope is drawn at the upper edge.
    low = min(ys[0], *p["y"])
    cap = max(low + 4 * (ys[len(ys) // 2] - low), *p["y"], low * 1.01 if low > 0 else low)
    xs = [q["x"] for q in p["points"]] + p["x"] + p["diverged"]
    chart = Panel(
        Axis(xs, log=f["log"]),
        Axis([min(y, cap) for y in [*ys, *p["y"]]], log=low > 0),
        f"loss against {f['setting']}, {p['title']}",
    )
    chart.columns(p["optimum"][0], p["optimum"][2], "tried")
    chart.grid(f["setting"], "loss")
    chart.line(p["x"], [min(y, cap) for y in p["y"]], "fit")
    for q in p["points"]:
        text = f"trial {q['trial']}: {f['setting']} {short(q['x'])}, loss {short(q['y'], 5)}"
        chart.dot(q["x"], min(q["y"], cap), "run", text)
    for x in p["diverged"]:
        chart.cross(x, cap, "end diverged", f"diverged at {short(x)}", 3.6)
    return chart.svg()


def importance(figure: Sequence[dict[str, Any]]) -> str:
    """Bars: what a setting costs at the values typically tried."""
    top = max((f["high"] for f in figure), default=0.0) or 1.0
    rows = []
    for f in figure:
        mean, low, high = (100 * f[k] / top for k in ("mean", "low", "high"))
        rows.append(
            f'<div class="bar"><span>{escape(f["name"])}</span><span class="track">'
            f'<i style="width:{mean:.1f}%"></i>'
            f'<b style="left:{low:.1f}%;width:{max(high - low, 0.5):.1f}%"></b></span>'
            f"<span>{_share(f['mean'])}</span></div>"
        )
    return f'<div class="bars">{"".join(rows)}</div>'


def _share(fraction: float) -> str:
    return "under 0.1 %" if 0 < fraction < 0.001 else percent(fraction)


def dependence(figure: Sequence[dict[str, Any]]) -> str:
    """Partial dependence, one panel a setting; choices stand side by side."""
    drawings = []
    for f in figure:
        numeric = all(isinstance(x, int | float) and not isinstance(x, bool) for x in f["x"])
        xs = [float(x) for x in f["x"]] if numeric else [float(i) for i in range(len(f["x"]))]
        ys = [*f["best_low"], *f["best_high"], *f["mean"]]
        chart = Panel(
            Axis(xs, log=f["log"]), Axis(ys, log=False), f"{f['metric']} against {f['setting']}"
        )
        chart.grid(f["setting"], f["metric"], None if numeric else ())
        if numeric:
            chart.band(xs, f["best_low"], f["best_high"], "band")
            chart.line(xs, f["best"], "fit")
            chart.line(xs, f["mean"], "equal")
        for x, value, y, low, high in zip(
            xs, f["x"], f["best"], f["best_low"], f["best_high"], strict=True
        ):
            if not numeric:
                chart.whisker(x, low, high, "interval")
                chart.dot(x, y, "run", f"{value}: {short(y, 4)}", 4)
                chart.note(chart.px(x), chart.height - 20, str(value), "tick middle")
        drawings.append((escape(f["setting"]), chart.svg()))
    return panels(drawings)


def progress(figure: dict[str, Any]) -> str:
    """Finished trials in order with the best so far."""
    log = min(figure["y"]) > 0
    chart = Panel(
        Axis(figure["x"], log=False), Axis(figure["y"], log=log), "trials in order", 700, 260
    )
    chart.grid("trial", figure["metric"])
    for x, y in zip(figure["x"], figure["y"], strict=True):
        chart.dot(x, y, "run", f"trial {x}: {short(y, 5)}")
    xs, ys = _stairs(figure["x"], figure["best"])
    chart.line(xs, ys, "fit")
    return f'<figure class="wide">{chart.svg()}</figure>'


def _stairs(xs: Sequence[float], ys: Sequence[float]) -> tuple[list[float], list[float]]:
    out_x, out_y = [xs[0]], [ys[0]]
    for i in range(1, len(xs)):
        out_x += [xs[i], xs[i]]
        out_y += [ys[i - 1], ys[i]]
    return out_x, out_y


def check(figure: dict[str, Any]) -> str:
    """The predicted interval at the target, and what was measured."""
    low, mean, high = figure["predicted"]
    values = [low, mean, high, *[m["loss"] for m in figure["measured"]]]
    axis = Axis(values, log=min(values) > 0, room=0.12)
    rows = [_strip("predicted", axis, mean, (low, high), "mark-predicted")]
    for m in figure["measured"]:
        name = "trained with the recipe" if m["name"] == "recipe" else f"settings {m['name']}"
        rows.append(_strip(name, axis, m["loss"], None, f"mark-{escape(m['name'], quote=True)}"))
    return f'<div class="strips">{"".join(rows)}</div>'


def _strip(
    name: str, axis: Axis, value: float, interval: tuple[float, float] | None, kind: str
) -> str:
    bar = ""
    if interval is not None:
        a, b = (100 * axis.part(v) for v in interval)
        bar = f'<b style="left:{a:.1f}%;width:{b - a:.1f}%"></b>'
    return (
        f'<div class="strip"><span>{escape(name)}</span><span class="track">{bar}'
        f'<i class="{kind}" style="left:{100 * axis.part(value):.1f}%"></i></span>'
        f"<span>{short(value, 4)}</span></div>"
    )
