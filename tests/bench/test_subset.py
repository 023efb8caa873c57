"""A few tasks that stand for all tasks of a comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maquette.bench import subset
from maquette.bench.compare import Plan, Suite, results
from maquette.bench.compare import suite as suites
from maquette.bench.compare.optimizers import read
from maquette.bench.compare.plan import enter
from maquette.errors import BenchmarkError
from tests.bench.test_report import result
from tests.cli.conftest import Cli

TASKS = tuple(f"ioh/bbob-{i}" for i in range(12))
OPTIMIZERS = ("random", "sobol")


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of two optimizers on twelve tasks, one seed; no task is ever loaded."""
    monkeypatch.setattr("maquette.bench.catalogue.names", lambda: TASKS)
    folder, rng = tmp_path / "all", np.random.default_rng(0)
    plan = Plan(Suite("all", "a & b", TASKS, {"trials": 4}), read(OPTIMIZERS), 1)
    enter(folder, plan)
    for cell in plan.cells():
        regret = float(rng.random())
        results.write(
            folder, cell, result(cell.task, cell.optimizer.name, cell.seed, [1, 1, 1, regret])
        )
    return folder


def test_the_choice_is_better_than_chance_and_repeats(compared: Path) -> None:
    found = subset.choose(compared, 4)
    assert len(set(found.suite.tasks)) == 4
    assert found.beaten > 0.9
    assert found.discrepancy < found.random[len(found.random) // 2]
    assert subset.choose(compared, 4).suite == found.suite


def test_the_suite_is_read_back(compared: Path, cli: Cli) -> None:
    done = cli("bench", "subset", compared, "--size", "3", "--out", "three.toml", "--json")
    assert done.code == 0, done.err
    read_back = suites.load("three.toml")
    chosen = subset.choose(compared, 3, name="three")
    assert read_back == chosen.suite
    assert done.json["tasks"] == list(chosen.suite.tasks)
    assert (read_back.name, dict(read_back.budget)) == ("three", {"trials": 4})
    assert "Star discrepancy" in cli("bench", "subset", compared, "--size", "3").out


def test_too_many_are_refused(compared: Path) -> None:
    with pytest.raises(BenchmarkError, match="cannot choose 13 of 12 tasks"):
        subset.choose(compared, 13)
