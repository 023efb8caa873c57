"""Tracks: runs at proxies, judged at a target; budgets of cost instead of trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import maquette as mq
from maquette.bench import catalogue
from maquette.bench.compare import Plan, Suite, results, run
from maquette.bench.compare.optimizers import read
from maquette.bench.compare.suite import from_table
from maquette.bench.family import Family
from maquette.bench.report import gather, markdown
from maquette.bench.task import Array, Card, Measured, Rows, Task, one_report
from maquette.errors import BenchmarkError
from tests.bench.test_report import result

CARD = Card("made for the tests", "Apache-2.0")
SPACE = mq.Space({"lr": mq.Float(1e-4, 1.0, log=True), "wd": mq.Float(1e-3, 1.0, log=True)})
CELLS = (10.0, 30.0)
SCALE = mq.Scale([{"N": n} for n in CELLS], N=(10.0, 1000.0))


def _task(name: str) -> Task:
    """The best learning rate falls as N^-0.5; a run costs N."""

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        lr, wd = np.log10(values.T)
        N = scale["N"] if name == "grown" else 1000.0
        loss = 1 + N**-0.3 + (lr + 0.5 * np.log10(N)) ** 2 + (wd + 1.5) ** 2
        cost = np.full(len(loss), float(N))
        return one_report({"loss": loss, "flops": cost}, cost, cost=cost)

    scale = SCALE if name == "grown" else None
    best = 1 + 1000**-0.3
    goal = mq.Objective(minimize="loss", cost="flops")
    return Task(f"toy/{name}", "", SPACE, goal, CARD, measure, best, best + 1.0, scale=scale)


@pytest.fixture(autouse=True)
def grown(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    family = Family("toy", "bowls", "function", CARD, ("grown", "flat"), _task)
    monkeypatch.setattr(catalogue, "FAMILIES", ("toy",))
    monkeypatch.setattr(catalogue, "family", lambda name: family)
    catalogue.load.cache_clear()
    yield
    catalogue.load.cache_clear()


def track(task: str = "grown", **changes: Any) -> Suite:
    table = {"tasks": [f"toy/{task}"], "budget": {"cost": 80}, "proxies": True, **changes}
    return from_table("track", table)


def test_recipes_and_copies_are_judged_at_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def recipe(name: str, history: mq.History, at: Mapping[str, float]) -> Any:
        """The drift's own answer, and a weight decay beyond the space."""
        made.append(len(history.finished))
        return SimpleNamespace(config={"lr": 10 ** (-0.5 * 3), "wd": 1e-9})

    monkeypatch.setattr("maquette.study.evidence.recipe", recipe)
    run(Plan(track(), read(["sobol", "designed+proxies"]), 1), tmp_path)
    found = {r["optimizer"]: r for r in results.read(tmp_path)}
    copied, designed = found["sobol"], found["designed+proxies"]
    assert {r["state"] for r in found.values()} == {"done"}
    # Copies: all of the budget goes into runs of the cheapest proxy, at 10 each.
    assert [p[2] for p in copied["curve"]][:3] == [10, 20, 30]
    # Designs: both proxies; the target alone would cost 1000.
    assert [p[2] for p in designed["curve"]][:4] == [10, 40, 50, 80]
    assert max(p[2] for r in found.values() for p in r["curve"]) <= 80
    # At the target the recipe's rate is right, and its decay, put into the space, 1.5 decades off.
    assert designed["config"] == {"lr": pytest.approx(10**-1.5), "wd": 1e-3}
    assert designed["curve"][-1][3] == pytest.approx(1.5**2)
    assert set(made) == {1, 2, 3, 4}


def test_the_track_needs_a_scale_and_designs_need_the_track(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="runs proxies, and toy/flat has no scale"):
        run(Plan(track("flat"), read(["random"]), 1), tmp_path / "a")
    plain = track(proxies=False)
    with pytest.raises(BenchmarkError, match=r"designed\+proxies: .* 'track' does not"):
        run(Plan(plain, read(["designed+proxies"]), 1), tmp_path / "b")
    with pytest.raises(BenchmarkError, match="proxies must be true or false"):
        track(proxies=1)


def test_a_budget_of_cost_is_the_axis_of_the_report() -> None:
    suite = Suite("s", "a", ("toy/grown",), {"cost": 100.0}, targets=(0.1,))
    cells = [
        {**result("toy/grown", name, 0, []), "curve": curve}
        for name, curve in (
            ("random", [[1, 9, 10.0, 0.5], [2, 99, 100.0, 0.1]]),
            ("sobol", [[1, 1, 20.0, 0.1]]),
        )
    ]
    (section,), _ = gather(cells, Plan(suite, read(["random", "sobol"]), 1))
    assert section.unit == "cost"
    assert section.times.tolist() == [[[100.0, 20.0]]]
    assert (section.grid[0], section.grid[-1]) == (10.0, pytest.approx(100.0))
    # Before the first recommendation stands the median config, 1.
    assert section.area.ravel() == pytest.approx([0.1 + 0.9 * 0.5, 0.2 + 0.8 * 0.1])
    text = markdown(Plan(suite, read(["random", "sobol"]), 1), [section], [])
    assert "AlgoPerf's, for cost until a regret of 0.1" in text
