"""A comparison as one HTML page that needs no network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from maquette._version import __version__
from maquette.bench import statistics as stats
from maquette.bench.compare.plan import Plan
from maquette.bench.report import drawings
from maquette.bench.report.markdown import (
    against,
    by_task,
    counted,
    leaderboard,
    legend,
    runs,
    told,
)
from maquette.bench.report.section import Section


def page(
    plan: Plan,
    sections: Sequence[Section],
    left: Sequence[tuple[str, str]],
    environment: Mapping[str, Any],
) -> str:
    """Return the document.

    Parameters
    ----------
    plan
        What was compared.
    sections, left
        See `maquette.bench.report.gather`.
    environment
        Where, as recorded with the results.
    """
    body = [
        '<header><div class="brand"><span>maquette bench</span></div>'
        f"<h1>{escape(plan.suite.name)}</h1><p class='lead'>{escape(plan.suite.about)}. "
        f"{escape(told(plan))}</p></header>"
    ]
    body += [_section(section, plan) for section in sections]
    if left:
        table = "| optimizer | why |\n| --- | --- |\n"
        table += "\n".join(f"| {name} | {why.replace('|', '/')} |" for name, why in left)
        body.append(_block("Incomplete", "What is not compared on every task.", as_html(table)))
    shown = json.dumps(environment, indent=1)
    body.append(_block("Environment", "", f"<pre>{escape(shown)}</pre>"))
    body.append(f"<footer><p>maquette {escape(__version__)}</p></footer>")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(plan.suite.name)} · maquette bench</title>\n<style>\n"
        f"{_asset('maquette.report', 'report.css')}{_asset('maquette.bench.report', 'bench.css')}"
        f"</style>\n</head>\n<body>\n<main>\n{''.join(body)}\n</main>\n</body>\n</html>\n"
    )


def _section(section: Section, plan: Plan) -> str:
    lead = f"{_strong(escape(runs(section)))} {escape(legend(plan, section))}"
    parts = [_block(counted(section), lead, as_html(leaderboard(section)))]
    curves = drawings.key(section) + drawings.anytime(section)
    lead = f"Mean over tasks of the median regret over seeds, after so many {section.unit}."
    parts.append(_block(f"Regret over {section.unit}", lead, curves))
    diagram = drawings.difference(section)
    if diagram:
        lead = (
            "Mean ranks of the median regret over tasks; a bar joins optimizers that Nemenyi's "
            "test at 0.05 cannot tell apart with so few tasks."
        )
        parts.append(_block("Critical differences", lead, diagram))
    pairs = against(section)
    if pairs:
        lead = (
            "The optimizer of the best mean rank against each other one. Seeds needed: paired "
            "seeds at which the difference of their mean regrets is found with power 0.8."
        )
        parts.append(_block("The best against the others", lead, as_html(pairs)))
    lead = "How often a run of the row is better than one of the column."
    parts.append(_block("Probability of improvement", lead, _improvement(section)))
    lead = "Share of runs whose regret at the end is at most so much."
    parts.append(_block("Regret profile", lead, drawings.key(section) + drawings.profile(section)))
    target = f"{plan.suite.targets[0]:g}"
    lead = (
        f"Share of tasks on which the median run reaches a regret of {target} within so many times "
        f"the {section.unit} of the fastest optimizer there; the area up to 4 is AlgoPerf's score."
    )
    chart = drawings.key(section) + drawings.ratios(section)
    parts.append(_block("Performance profile", lead, chart))
    lead = "Median over seeds."
    detail = as_html(by_task(section)) + drawings.key(section) + drawings.anytime_by_task(section)
    parts.append(_block("Task by task", lead, detail))
    return "".join(parts)


def _improvement(section: Section) -> str:
    P = stats.probability_of_improvement(section.regret)
    order = np.argsort(stats.mean_ranks(section.regret), kind="stable").tolist()
    names = [section.optimizers[i] for i in order]
    lines = [f"| | {' | '.join(names)} |", "|" + " --- |" * (len(names) + 1)]
    for i in order:
        cells = ["" if i == j else f"{P[i, j]:.2f}" for j in order]
        lines.append(f"| {section.optimizers[i]} | {' | '.join(cells)} |")
    return as_html("\n".join(lines))


def as_html(table: str) -> str:
    """Return a Markdown table as HTML; ``**x**`` marks the best."""
    head, _, *body = [[c.strip() for c in line[1:-1].split("|")] for line in table.splitlines()]
    top = "".join(f"<th>{escape(c)}</th>" for c in head)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in body)
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _strong(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)


def _cell(text: str) -> str:
    bold = text.startswith("**")
    return f"<td{' class=best' if bold else ''}>{escape(text.strip('*'))}</td>"


def _block(title: str, lead: str, body: str) -> str:
    return f'<section><h2>{escape(title)}</h2><p class="lead">{lead}</p>{body}</section>'


def _asset(package: str, name: str) -> str:
    return files(package).joinpath("assets", name).read_text(encoding="utf-8")
