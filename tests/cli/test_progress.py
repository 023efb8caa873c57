from __future__ import annotations

import pytest

from maquette import Budget, Float, Study
from maquette.cli import progress


@pytest.fixture
def study() -> Study:
    study = Study("p", {"x": Float(0, 1)}, objective="max:score", searcher="random")
    for value in (0.25, 0.75):
        study.tell(study.ask(), value)
    study.tell(study.ask(), state="oom")
    return study


def test_the_line_says_what_stands(study: Study) -> None:
    line = progress.describe("p", study.history, 1, Budget(trials=10))
    assert "3/10 trials" in line
    assert "1 running" in line
    assert "1 failed" in line
    assert "best score 0.75" in line
    assert "left" in line


def test_time_left_follows_the_first_bound(study: Study) -> None:
    history = study.history
    elapsed = history.elapsed()
    assert progress.seconds_left(history, Budget(trials=3)) == 0
    seven = progress.seconds_left(history, Budget(trials=10))
    assert seven == pytest.approx(7 * elapsed / 3)
    assert progress.seconds_left(history, Budget(trials=10, seconds=elapsed)) == 0
    assert progress.seconds_left(history, Budget()) is None


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (600, "10 min"), (9000, "2.5 h")])
def test_times_read_well(seconds: float, text: str) -> None:
    assert progress.clock(seconds) == text
