"""The answers, the figures and the page, from histories whose truth is known."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import maquette as mq
from maquette.history import History, Problem
from maquette.objective import Objective
from maquette.report import Evidence, answers, figures, gather, render, write
from maquette.report.answers import (
    best_answer,
    flat_answer,
    matter_answer,
    more_budget,
    target_answer,
)
from maquette.report.boundary import at_the_edge, flatness, held_back, untried
from maquette.report.importance import effects
from maquette.report.svg import Axis
from maquette.report.words import listed, percent, short
from maquette.space import Float, Space
from maquette.testing.script import Script
from tests.report.histories import HOSTILE, history, space


@pytest.fixture(scope="module")
def scaled() -> Evidence:
    return gather(history())


@pytest.fixture(scope="module")
def flat() -> Evidence:
    return gather(history(40, scaled=False))


class Strict(HTMLParser):
    """Collects tags, and fails on tags that are closed in the wrong order."""

    VOID = ("meta", "br", "img", "line", "circle", "path", "rect", "polyline", "polygon", "link")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def parsed(page: str) -> Strict:
    parser = Strict()
    parser.feed(page)
    assert not parser.open
    return parser


def island(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    data: dict[str, object] = json.loads(found.group(1))
    return data


def test_four_answers_with_a_scale_and_three_without(scaled: Evidence, flat: Evidence) -> None:
    assert len(answers(scaled)) == 4
    assert len(answers(flat)) == 3


def test_the_recipe_and_the_cliff_are_where_the_runs_put_them(scaled: Evidence) -> None:
    text = answers(scaled)
    assert scaled.recipe is not None
    assert scaled.recipe.config["lr"] == pytest.approx(0.01, rel=0.25)
    assert "width 256" in text[3]
    assert "diverged" in text[1]
    assert "the cliff is nearest in lr" in text[1]


def test_what_matters_is_told_from_what_does_not(scaled: Evidence) -> None:
    found = effects(scaled)
    assert [e.name for e in found] == ["lr", "decay"]
    assert found[0].mean > 10 * found[1].mean
    assert "decay made less difference" in answers(scaled)[2]


def test_doubt_is_weighed_by_the_distance_to_the_target_in_no_unit(scaled: Evidence) -> None:
    """Equal doubts: width lies a factor of six off, tokens one of two, however many they are."""
    model, recipe = scaled.model, scaled.recipe
    assert model is not None
    assert recipe is not None
    tokens = replace(model.runs.axes[0], name="tokens", centre=math.log(1e9))
    runs = replace(model.runs, axes=(*model.runs.axes, tokens))
    doubtful = replace(
        recipe,
        at={**recipe.at, "tokens": 2e9},
        drift_interval={"lr": {"tokens": (-0.1, 0.1), "width": (-0.1, 0.1)}},
        drift={"lr": {"tokens": 0.0, "width": 0.0}},
        verdict=replace(recipe.verdict, level="caution"),
    )
    text = target_answer(replace(scaled, model=replace(model, runs=runs), recipe=doubtful))
    assert "around the best lr at a larger width" in text


def test_an_optimum_on_the_boundary_is_said() -> None:
    evidence = gather(history(optimum=1e-3, scaled=False))
    assert ("lr", "lower") in [(name, side) for name, side, _ in at_the_edge(evidence)]
    assert "lr sits on the lower end of its range" in answers(evidence)[0]


def test_an_optimum_inside_is_on_no_boundary(flat: Evidence) -> None:
    assert "lr sits" not in answers(flat)[0]


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("scaled_too", [True, False])
def test_few_trials_are_enough_for_a_page(n: int, scaled_too: bool) -> None:
    evidence = gather(history(n, scaled=scaled_too))
    assert answers(evidence)
    parsed(render(evidence.history, name="young"))


def test_nothing_finished_says_so() -> None:
    empty = History(Problem(space(), Objective.parse("loss")))
    assert answers(empty) == ["No trial has finished with a result yet (trials: none)."]


def test_figures_are_json_and_hold_every_run(scaled: Evidence) -> None:
    found = figures(scaled)
    json.dumps(found, allow_nan=False)
    assert len(found["curves"]) == 2
    assert sum(len(p["lines"]) for p in found["curves"]) == 60
    done = len(scaled.done)
    assert len(found["predicted"]["points"]) == done
    assert {f["setting"] for f in found["valleys"]} == {"lr", "decay"}
    assert sum(len(p["points"]) for p in found["valleys"][0]["panels"]) == done
    panel = next(p for p in found["optimum"] if p["setting"] == "lr")
    assert all(
        a <= m <= b for a, m, b in zip(panel["low"], panel["mean"], panel["high"], strict=True)
    )
    assert panel["target"][0] == 256


def test_the_page_is_whole_and_needs_no_network(scaled: Evidence) -> None:
    page = render(scaled.history, name="whole", model=scaled.model, recipe=scaled.recipe)
    tags = parsed(page).seen
    assert not [a for _, attrs in tags for a in attrs if a in ("src", "href")]
    assert not re.findall(r"https?://|@import|url\(", page)
    assert len([1 for tag, attrs in tags if tag == "tr" and "data-state" in attrs]) == 60
    assert len(page) < 400_000


def test_the_island_holds_the_trials(scaled: Evidence) -> None:
    data = island(render(scaled.history, name="whole", model=scaled.model, recipe=scaled.recipe))
    trials = data["trials"]
    assert isinstance(trials, list)
    for record, kept in zip(scaled.history.trials, trials, strict=True):
        assert kept["state"] == record.state.value
        assert (kept["loss"] is None) == math.isnan(record.loss)


def test_hostile_names_stay_text() -> None:
    evidence = gather(history(30, names=(HOSTILE, "<b>decay</b>")))
    page = render(evidence.history, name=HOSTILE, model=evidence.model, recipe=evidence.recipe)
    tags = parsed(page).seen
    assert not [tag for tag, _ in tags if tag == "img"]
    assert not [attrs for _, attrs in tags if "onerror" in attrs]
    assert island(page)["study"] == HOSTILE


def test_a_study_is_written_with_and_without_a_scale(tmp_path: Path) -> None:
    def valley(trial: mq.Trial) -> float:
        return 1.0 + math.log(trial["lr"] / 0.01) ** 2

    for name, scale in (("flat", None), ("scaled", mq.Scale(width=(32, 64)))):
        study = mq.Study(name, space(), valley, scale=scale, searcher="sobol")
        study.run(8)
        path = write(study, tmp_path / f"{name}.html")
        parsed(path.read_text())


def test_a_report_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    study = mq.Study("s", space())
    with pytest.raises(mq.MaquetteError, match="cannot be written"):
        write(study, tmp_path / "missing" / "report.html")


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("ends", [(1e-4, 1e3), (2.1, 2.2), (3.0, 3.0), (0.9, 7.0), (1e-9, 2e-9)])
def test_ticks_are_few_round_and_inside(log: bool, ends: tuple[float, float]) -> None:
    axis = Axis(ends, log=log)
    ticks = axis.ticks(5)
    assert 1 <= len(ticks) <= 8
    assert all(-1e-9 <= axis.part(t) <= 1 + 1e-9 for t in ticks)
    assert len({short(t, 6) for t in ticks}) == len(ticks)


def test_words() -> None:
    assert short(0.0081234) == "0.00812"
    assert short(800000.0) == "800,000"
    assert short(1.5e-7) == "1.5e-7"
    assert percent(0.0123) == "1.2 %"
    assert listed(["a", "b", "c"]) == "a, b and c"


@pytest.mark.parametrize("lift", [0.0, 1.0, -1.0])
@pytest.mark.parametrize("factor", [1.0, 1000.0])
def test_a_valley_that_is_not_the_runs_own_says_nothing(lift: float, factor: float) -> None:
    """Whatever is said of a parabola around 0.3 must be true of it, or not be said."""
    problem = Problem(Space({"x": Float(0, 1)}), Objective("loss"))
    script = Script(problem)
    near = [0.3 + 0.1 * 0.5**k * (-1) ** k for k in range(10)]
    for x in (0.5, 0.01, 0.68, 0.87, 0.18, 1.0, 0.1, 0.44, *near):
        script.try_config({"x": x}, loss=lift + factor * (x - 0.3) ** 2)
    evidence = gather(script.history)
    if evidence.model is None:
        assert "valley" in evidence.missing
        assert "not known" in flat_answer(evidence)
        default = lift + factor * (0.5 - 0.3) ** 2
        assert f"default settings measured {short(default, 4)}" in best_answer(evidence)
    else:
        low, high = evidence.model.flatness(0.01)["x"]
        assert low <= 0.3 <= high
        assert evidence.model.recipe().config["x"] == pytest.approx(0.3, abs=0.05)


@pytest.fixture(scope="module")
def mixed() -> Evidence:
    """Thirty trials of a float, an integer and a choice of which one value is never tried."""
    where = Space(
        {
            "drop": Float(0.0, 0.5),
            "layers": mq.Int(1, 6),
            "act": mq.Choice(["relu", "gelu", "silu"]),
            "wd": Float(0.0, 0.3),
        }
    )
    script = Script(Problem(where, Objective.parse("loss")))
    for i, config in enumerate(where.sample(np.random.default_rng(3), 30)):
        config["act"] = ("relu", "silu")[i % 2]
        loss = 2 + (config["drop"] - 0.1) ** 2 + 0.05 * (config["layers"] - 4) ** 2
        script.try_config(config, loss=loss + 0.1 * (config["act"] == "relu"))
    return gather(script.history)


def test_what_is_flat_ends_where_the_space_ends(mixed):
    found = flatness(mixed)
    assert 0.0 <= found["drop"][0] < 0.1 < found["drop"][1] <= 0.5
    assert found["wd"] == pytest.approx((0.0, 0.3), abs=2e-3)
    assert found["layers"] == (4, 4)
    assert "layers at 4" in flat_answer(mixed)
    assert "-" not in re.sub("[a-z]-[a-z]", "", flat_answer(mixed))


def test_values_never_tried_are_named(mixed):
    assert "No trial finished with act gelu." in matter_answer(mixed)
    assert "silu" not in untried(mixed)[0]


def test_an_end_that_holds_nothing_back_is_no_advice(mixed):
    """Zero is where a range has to start, and what has no effect may stand anywhere."""
    best = mixed.best
    assert best is not None
    where = {**best.config, "drop": 0.0, "wd": 0.3, "layers": 4}
    stood = replace(mixed, best=replace(best, config=where), model=None)
    assert {name for name, _, _ in at_the_edge(stood)} == {"drop", "wd"}
    assert held_back(stood) == []
    assert "No end of a range holds it back." in best_answer(stood)


@pytest.mark.parametrize("regret", [1e-6, 5e-4, 0.5])
def test_what_is_left_is_under_the_noise_only_where_it_is(scaled, regret):
    assert scaled.recipe is not None
    assert scaled.model is not None
    noise = scaled.model.noise()["residual"]
    told = more_budget(replace(scaled, recipe=replace(scaled.recipe, regret=regret)))
    assert ("under the noise" in told) == (regret < noise / 4)
    assert ("hardly help" in told) == (regret < max(1e-3, noise / 4))


def test_a_best_config_on_a_boundary_is_not_said_to_be_off_it(flat):
    assert flat.best is not None
    assert "It sits on no boundary" in best_answer(flat)
    end = replace(flat.best, config={**flat.best.config, "lr": 1e-1})
    assert "boundary" not in best_answer(replace(flat, best=end))


def test_of_many_values_few_are_named():
    space = Space({"x": Float(0.0, 1.0), "kind": mq.Choice([f"v{i}" for i in range(30)])})
    script = Script(Problem(space, Objective.parse("loss")))
    for i in range(20):
        config = {"x": (i + 0.5) / 20, "kind": f"v{i % 3}"}
        script.try_config(config, loss=1 + (config["x"] - 0.4) ** 2)
    evidence = replace(gather(script.history), model=None)
    assert "and 19 more" in untried(evidence)[0]
    assert "kind any" in flat_answer(evidence)
