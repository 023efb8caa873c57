"""What mattered, where no valley fits the runs."""

from __future__ import annotations

import pytest

import maquette as mq
from maquette.report import answers, figures, gather
from maquette.report.evidence import Evidence
from maquette.report.page import page

SPACE = {
    "x": mq.Float(0, 1),
    "kind": mq.Choice(["a", "b", "c"]),
    "extra": mq.Float(1e-3, 1, log=True, when={"kind": "b"}),
    "idle": mq.Int(1, 9),
}


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    s = mq.Study("what", SPACE, searcher="random", objective="max:score")
    for trial in s.ask(40):
        steep = {"a": 0.0, "b": 1.0, "c": 0.3}[trial["kind"]]
        s.tell(trial, 1 + steep * trial["x"] - 0.1 * trial.get("extra", 0.0))
    return Evidence(s.history, s.best(), None, None, "no valley fits")


def test_sentences_and_shares(evidence: Evidence) -> None:
    text = next(a for a in answers(evidence) if a.startswith("What mattered"))
    assert "x (" in text
    assert "kind (" in text
    assert "idle: no effect" in text
    assert "One more trial is expected to gain" in text
    flat = answers(evidence)[1]
    assert "kind b" in flat
    assert "idle anywhere in its range" in flat
    assert "Trials scatter by" in flat
    shares = figures(evidence)["shares"]
    assert {shares[0]["name"], shares[1]["name"]} == {"x", "kind"}
    assert shares == sorted(shares, key=lambda s: -s["mean"])


def test_dependence_has_the_metrics_own_sign(evidence: Evidence) -> None:
    panels = {p["setting"]: p for p in figures(evidence)["dependence"]}
    x = panels["x"]
    assert x["best"][-1] > x["best"][0] + 0.5
    assert all(
        low <= mean <= high for low, mean, high in zip(x["low"], x["mean"], x["high"], strict=True)
    )
    assert panels["kind"]["x"] == ["a", "b", "c"]
    drawn = page(evidence, "what")
    assert "Shares of the variance" in drawn
    assert "One setting at a time" in drawn


def test_with_few_trials_nothing_is_said() -> None:
    s = mq.Study("few", SPACE, searcher="random")
    for trial in s.ask(3):
        s.tell(trial, trial["x"])
    assert "shares" not in figures(gather(s))
