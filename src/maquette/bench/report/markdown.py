"""A comparison as Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from maquette.bench.compare.plan import Plan
from maquette.bench.report.figures import BASELINE, rows, versus
from maquette.bench.report.section import Section
from maquette.report.words import short

# A bootstrap of fewer seeds than this understates the spread badly.
_FEW = 5
_BUDGETS = {"trials": "{:g} trials", "seconds": "{:g} simulated seconds", "cost": "{:.4g} of cost"}


def markdown(plan: Plan, sections: Sequence[Section], left: Sequence[tuple[str, str]]) -> str:
    """Return the whole report."""
    parts = [f"# {plan.suite.name}", f"{plan.suite.about}.", told(plan)]
    for section in sections:
        parts += [
            f"## {counted(section)}",
            runs(section),
            leaderboard(section),
            legend(plan, section),
        ]
        parts.append(by_task(section))
        pairs = against(section)
        parts += [pairs] if pairs else []
    if left:
        body = "\n".join(f"| {name} | {why} |" for name, why in left)
        parts += ["## Incomplete", f"| optimizer | why |\n| --- | --- |\n{body}"]
    return "\n\n".join(parts) + "\n"


def told(plan: Plan) -> str:
    """Say in a sentence how every run was made."""
    suite = plan.suite
    budget = ", ".join(_BUDGETS[name].format(value) for name, value in suite.budget.items())
    workers = f"{suite.workers} virtual worker" + ("s" if suite.workers > 1 else "")
    own = "its own start" if not suite.initial + suite.warm else "a shared start"
    where = "Runs are made at proxies, and judged at the target. " if suite.proxies else ""
    return (
        f"Every run has a budget of {budget}, {workers} and {own}; seeds are paired. {where}"
        "Regret is (true loss of the recommended config - optimum) / (loss of the median config - "
        "optimum)."
    )


def counted(section: Section) -> str:
    """Return how much a section rests on."""
    given = ((section.tasks, "task"), (range(section.seeds), "seed"))
    counts = [f"{len(of)} {what}" + ("s" if len(of) != 1 else "") for of, what in given]
    return f"{', '.join(counts)}, {len(section.optimizers)} optimizers"


def runs(section: Section) -> str:
    """Say how many runs stand behind a row, and what so few cannot tell."""
    text = f"{len(section.tasks) * section.seeds} runs of each optimizer."
    if section.seeds == 1:
        return f"{text} **One seed: there are no intervals, and any difference may be chance.**"
    if section.seeds < _FEW:
        return f"{text} With so few seeds the intervals are too narrow."
    return text


def leaderboard(section: Section) -> str:
    """Return the table of optimizers, the best mean rank first."""
    figures = ("mean rank", "regret", "area", "score", "speed-up", f"beats {BASELINE}", "broken")
    body = [
        (
            row.name,
            _interval(row.rank, 2),
            _interval(row.regret, 4),
            f"{row.area:.3f}",
            f"{row.score:.3f}",
            _number(row.speedup, 2),
            _number(row.beats, 2),
            str(row.broken),
        )
        for row in rows(section)
    ]
    return _table(("optimizer", *figures), body)


def legend(plan: Plan, section: Section) -> str:
    """Explain the columns of the leaderboard."""
    target = f"{plan.suite.targets[0]:g}"
    return (
        "mean rank, regret: with 95 % bootstrap intervals over seeds, for these tasks; regret is "
        "the mean over tasks of the median over seeds. area: mean regret over the budget. score: "
        f"AlgoPerf's, for {section.unit} until a regret of {target}. speed-up: {BASELINE}'s until "
        "then over its own, the median task. beats random: how often a run is better than one of "
        f"{BASELINE}. broken: runs in which the optimizer crashed or hung; they count with what it "
        "had recommended."
    )


def by_task(section: Section) -> str:
    """Return the median regret on each task."""
    order = [section.optimizers.index(row.name) for row in rows(section)]
    medians = section.by_task
    head = ("median regret", *(section.optimizers[i] for i in order))
    body = []
    for task, values in zip(section.tasks, medians, strict=True):
        best = np.nanmin(values)
        cells = [_number(float(values[i]), 4) for i in order]
        marked = [f"**{c}**" if values[i] == best else c for c, i in zip(cells, order, strict=True)]
        body.append((task, *marked))
    return _table(head, body)


def against(section: Section) -> str:
    """Return the table of the best optimizer against the others; empty if too little is there."""
    found = versus(section)
    if not found:
        return ""
    best = rows(section)[0].name
    head = (f"{best} against", "better", "p (Wilcoxon, Holm)", "p (Nemenyi)", "seeds needed")
    body = [
        (v.name, f"{v.better:.2f}", short(v.p, 2), short(v.nemenyi, 2), str(v.seeds or "-"))
        for v in found
    ]
    return _table(head, body)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _interval(value: tuple[float, float, float], digits: int) -> str:
    if math.isnan(value[1]):
        return f"{value[0]:.{digits}f}"
    return f"{value[0]:.{digits}f} ({value[1]:.{digits}f} to {value[2]:.{digits}f})"


def _number(value: float, digits: int) -> str:
    if math.isnan(value):
        return "-"
    return "inf" if math.isinf(value) else f"{value:.{digits}f}"
