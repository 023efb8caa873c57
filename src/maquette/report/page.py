"""One HTML file that needs no network: the answer first, then what it rests on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maquette._version import __version__
from maquette.errors import StudyError
from maquette.files import write_whole
from maquette.history import History
from maquette.number import json_ready
from maquette.report import charts
from maquette.report.answers import titled
from maquette.report.evidence import Evidence, gather
from maquette.report.figures import Run, figures
from maquette.report.front import chart as front_chart
from maquette.report.tables import recipe_table, trial_table
from maquette.report.words import place, short
from maquette.study.study import Study

if TYPE_CHECKING:
    from maquette.scaling import DriftModel, Recipe

TRUST = {"trust": "trust", "caution": "caution", "do-not-trust": "do not trust"}
ORDER = ("done", "stopped", "paused", "running", "queued", "diverged", "crashed")

Section = tuple[str, str, str]  # title, what it shows, its body


def write(
    study: Study, path: str | os.PathLike[str], at: Mapping[str, float] | None = None
) -> Path:
    """Write the report of a study, with or without a scale; return where it lies.

    Parameters
    ----------
    study
        As `Study.load` returns it, or any other.
    path
        The file to write.
    at
        The target; axes left out stand at the scale's own target.

    Raises
    ------
    StudyError
        If the file cannot be written.
    ScaleError
        If `at` names an unknown axis.
    """
    text = page(gather(study, at=at), study.name)
    file = Path(path)
    try:
        write_whole(file, text)
    except OSError as error:
        raise StudyError(f"the report cannot be written to {path}: {error.strerror}") from None
    return file


def render(
    source: Study | History,
    *,
    name: str = "study",
    model: DriftModel | None = None,
    recipe: Recipe | None = None,
    targets: Sequence[Run] = (),
    notes: Sequence[str] = (),
) -> str:
    """Return the report as one HTML document.

    Parameters
    ----------
    source
        A study or its history.
    name
        The title.
    model, recipe
        If they are at hand; else they are fitted.
    targets
        Runs at the target, to compare with what was predicted.
    notes
        Sentences about those runs.
    """
    return page(gather(source, model, recipe), name, targets, notes)


def page(
    evidence: Evidence, name: str, targets: Sequence[Run] = (), notes: Sequence[str] = ()
) -> str:
    """Return the document for evidence gathered already."""
    data = figures(evidence, targets)
    said = titled(evidence)
    sections = "".join(
        f'<section><h2>{title}</h2><p class="lead">{lead}</p>{body}</section>'
        for title, lead, body in _sections(evidence, data, notes)
    )
    island = {
        "study": name,
        "answers": list(said.values()),
        "recipe": evidence.recipe.to_json() if evidence.recipe is not None else None,
        "figures": data,
        "trials": [_trial(t) for t in evidence.history.trials],
    }
    body = f"{_head(evidence, name)}{_hero(evidence)}{_answers(said)}{sections}{_foot()}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(name)} · maquette</title>\n<style>\n{_asset('report.css')}</style>\n"
        f"</head>\n<body>\n<main>\n{body}\n</main>\n"
        f'<script type="application/json" id="data">{_island(island)}</script>\n'
        f"<script>\n{_asset('report.js')}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return files("maquette.report").joinpath("assets", name).read_text(encoding="utf-8")


def _island(data: Any) -> str:
    """JSON that no text inside it can end: ``<`` never stands in it."""
    text = json.dumps(json_ready(data, digits=7), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _trial(t: Any) -> dict[str, Any]:
    return {
        "number": t.number,
        "state": t.state.value,
        "config": dict(t.config),
        "scale": dict(t.scale),
        "loss": t.loss,
        "seconds": t.seconds,
        "cost": t.cost,
    }


def _head(evidence: Evidence, name: str) -> str:
    counts = evidence.history.counts()
    total = sum(counts.values()) or 1
    ranked = sorted(counts.items(), key=lambda c: ORDER.index(c[0]) if c[0] in ORDER else 99)
    bar = "".join(
        f'<i class="state {state}" style="flex:{n}" title="{n} {state}"></i>' for state, n in ranked
    )
    words = "".join(f'<li><i class="state {state}"></i>{n} {state}</li>' for state, n in ranked)
    return (
        '<header><div class="brand"><span>maquette</span>'
        '<button id="theme" aria-label="light or dark">◐</button></div>'
        f"<h1>{escape(name)}</h1>"
        f'<div class="states" role="img" aria-label="{total} trials by state">{bar}</div>'
        f'<ul class="key">{words}<li>{_spent(evidence)}</li></ul></header>'
    )


def _spent(evidence: Evidence) -> str:
    seconds = evidence.history.elapsed()
    minutes = f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
    return f"{minutes} of wall clock"


def _hero(evidence: Evidence) -> str:
    recipe = evidence.recipe
    if recipe is None:
        title = "The best settings so far"
        where = f" at {escape(place(evidence.at))}" if evidence.at else ""
        return f'<section class="hero"><h2>{title}{where}</h2>{recipe_table(evidence)}</section>'
    reasons = "".join(f"<li>{escape(r)}</li>" for r in recipe.verdict.reasons)
    level = recipe.verdict.level
    loss = recipe.loss
    return (
        f'<section class="hero"><h2>The recipe for {escape(place(recipe.at))}</h2>'
        f'<div class="verdict {level}"><div><span class="badge">{TRUST[level]}</span>'
        f"<p>expected loss</p><strong>{short(loss.mean, 4)}</strong>"
        f"<small>90 %: {short(loss.low, 4)} to {short(loss.high, 4)}</small></div>"
        f"<ul>{reasons}</ul></div>{recipe_table(evidence)}</section>"
    )


def _answers(said: Mapping[str, str]) -> str:
    cells = "".join(
        f"<article><h3>{title}</h3><p>{escape(text)}</p></article>" for title, text in said.items()
    )
    return f'<section class="answers">{cells}</section>'


def _sections(evidence: Evidence, data: Mapping[str, Any], notes: Sequence[str]) -> list[Section]:
    found: list[Section] = []
    if "check" in data or notes:
        text = "".join(f"<p>{escape(n)}</p>" for n in notes)
        body = charts.check(data["check"]) if "check" in data else ""
        lead = "What the small runs foretold, and what the large one did."
        found.append(("Checked at the target", lead, body + f'<div class="notes">{text}</div>'))
    every: list[tuple[str, str, str, Callable[[Any], str]]] = [
        ("optimum", "The optimum against scale", OPTIMUM, charts.optimum),
        ("predicted", "Predicted against measured", PREDICTED, charts.predicted),
        ("front", "The Pareto front", FRONT, front_chart),
        ("importance", "What mattered", IMPORTANCE, charts.importance),
        ("shares", "Shares of the variance", SHARES, charts.importance),
        ("dependence", "One setting at a time", DEPENDENCE, charts.dependence),
        ("progress", "The search", PROGRESS, charts.progress),
        ("valleys", "The valleys", VALLEYS, charts.valleys),
        ("curves", "Learning curves", CURVES, charts.curves),
    ]
    found += [(title, lead, draw(data[key])) for key, title, lead, draw in every if key in data]
    lead = "Every trial; a click on a column sorts by it. Hover over a row for its message."
    return [*found, ("Trials", lead, trial_table(evidence))]


OPTIMUM = (
    "Each panel follows one setting along one axis, the other axes at the target. The line is the "
    "fitted optimum, the band its 90 % interval, the shaded columns the scales that were tried; "
    "dots are the best runs of each proxy (the strongest dot the best), moved along the other axes "
    "by the fitted drift; the diamond is the recipe."
)
PREDICTED = (
    "Every run that ended, coloured by its proxy: on the line, the fit gives exactly the loss that "
    "was measured. The diamond is the target, predicted from the proxies alone."
)
IMPORTANCE = (
    "What a setting costs when it stands at a value that was typically tried, the others at their "
    "best; the thin bar is the 90 % interval."
)
FRONT = (
    "Each dot is a trial that ran to its end. Those on the line are the front: no other is better "
    "in one metric without being worse in another. The diamond is the knee; crosses broke a bound."
)
SHARES = (
    "How much of the metric's variance over the space goes with each setting, its interactions "
    "included; the thin bar is the 90 % interval over resampled trials."
)
DEPENDENCE = (
    "What a Gaussian process of the trials expects with one setting moved: the line with the "
    "others as in the best config, the band its 90 % interval; the thin line with them anywhere."
)
PROGRESS = "Trials in the order they were proposed; the line is the best so far."
VALLEYS = (
    "Loss against one setting at each proxy. The line is the fit with the other settings at their "
    "best, so runs lie on it or above; the shaded column is the 90 % interval of the optimum. "
    "Runs far up the slope are drawn at the upper edge."
)
CURVES = (
    "What the runs reported on the way. A cross marks a run that was stopped or diverged, a dot "
    "the final loss of one that ran to its end. Both axes are logarithmic."
)


def _foot() -> str:
    return (
        "<footer><p>Intervals are 90 %. Losses of different scales are never compared as such. "
        "A stopped run ranks among its own proxy's runs, and is no shorter run.</p>"
        f'<p>maquette {escape(__version__)} · <button id="save">the data as JSON</button></p>'
        "</footer>"
    )
