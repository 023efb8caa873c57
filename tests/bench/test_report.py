"""Reports of comparisons, from results that were written by hand."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maquette.bench.compare import Plan, Suite, results
from maquette.bench.compare.optimizers import read
from maquette.bench.compare.plan import enter
from maquette.bench.report import gather, markdown, page, write
from maquette.bench.report.figures import rows, versus
from maquette.errors import BenchmarkError
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("toys")

TASKS = ("toy/valley", "toy/hill")
SUITE = Suite("two <bowls>", "a & b", TASKS, {"trials": 4}, targets=(0.1,))


Curve = Sequence[float | None]


def result(task: str, optimizer: str, seed: int, regrets: Curve, **more: Any) -> Any:
    curve = [[i, 10.0 * i, 10.0 * i, r] for i, r in enumerate(regrets, 1)]
    found = {"task": task, "optimizer": optimizer, "seed": seed, "state": "done", "message": ""}
    return {**found, "curve": curve, **more}


def everything(curves: Mapping[str, Curve], seeds: int = 2) -> list[Any]:
    return [
        result(task, name, seed, regrets)
        for task in TASKS
        for name, regrets in curves.items()
        for seed in range(seeds)
    ]


CURVES = {
    "random": [1.0, 0.5, 0.2, 0.1],
    "gp": [0.5, 0.1, 0.05, 0.0],
    "sobol": [2.0, 1.0, 1.0, 0.4],
}


def plan(*optimizers: str, seeds: int = 2) -> Plan:
    return Plan(SUITE, read(optimizers or tuple(CURVES)), seeds)


def test_the_figures_by_hand() -> None:
    (section,), left = gather(everything(CURVES), plan())
    assert left == []
    best, second, third = rows(section)
    assert [r.name for r in (best, second, third)] == ["gp", "random", "sobol"]
    assert best.rank == (1.0, 1.0, 1.0)
    assert (best.regret[0], second.regret[0], third.regret[0]) == (0.0, 0.1, 0.4)
    # Before the first trial stands 1; regrets above 1 count as 1.
    assert best.area == pytest.approx((1 + 0.5 + 0.1 + 0.05) / 4)
    assert third.area == pytest.approx(1.0)
    # The target 0.1 is reached after 2 trials, 4, never: ratios 1, 2, infinity.
    assert (best.score, third.score) == (1.0, 0.0)
    assert second.score == pytest.approx(2 / 3)
    assert (best.speedup, second.speedup, third.speedup) == (2.0, 1.0, 0.0)
    assert (best.beats, second.beats, third.beats) == (1.0, 0.5, 0.0)


def test_pairs_say_how_sure_they_are() -> None:
    rng = np.random.default_rng(0)
    found = [
        result(task, name, seed, [1.0, 1.0, 1.0, float(level + 0.02 * rng.normal())])
        for task in TASKS
        for name, level in (("gp", 0.1), ("random", 0.5), ("sobol", 0.11))
        for seed in range(8)
    ]
    (section,), _ = gather(found, plan(seeds=8))
    pairs = {v.name: v for v in versus(section)}
    assert set(pairs) == {"random", "sobol"}
    assert pairs["random"].better == 1.0
    assert pairs["random"].seeds == 2
    assert pairs["sobol"].seeds is None or pairs["sobol"].seeds > 8
    assert pairs["random"].p > 0.05  # two tasks can prove nothing


def test_without_random_there_is_nothing_to_beat() -> None:
    curves = {k: v for k, v in CURVES.items() if k != "random"}
    (section,), _ = gather(everything(curves), plan(*curves))
    assert all(math.isnan(row.beats) and math.isnan(row.speedup) for row in rows(section))
    assert " - |" in markdown(plan(*curves), [section], [])


def test_a_run_that_recommended_nothing_ranks_last() -> None:
    curves = {**CURVES, "gp": [None, None, None, None]}
    (section,), _ = gather(everything(curves), plan())
    assert rows(section)[-1].name == "gp"
    assert rows(section)[-1].regret[0] == 1.0


def test_what_is_incomplete_is_said_and_compared_where_it_is_complete() -> None:
    found = everything(CURVES)
    found = [r for r in found if not (r["optimizer"] == "gp" and r["task"] == "toy/hill")]
    found[0] = {**found[0], "state": "crashed", "message": "out of luck"}
    sections, left = gather(found, plan())
    assert [(len(s.tasks), s.optimizers) for s in sections] == [
        (2, ("random", "sobol")),
        (1, ("gp", "random", "sobol")),
    ]
    assert left == [("gp", "1 task: 0 of 2 cells are there so far")]
    assert sum(sections[0].broken) == 1


def test_rows_of_fewer_seeds_stand_with_the_number_they_have() -> None:
    found = everything(CURVES, seeds=6)
    slow = [r for r in found if r["optimizer"] != "gp" or r["seed"] < 2]
    gap = [r for r in slow if (r["optimizer"], r["seed"], r["task"]) != ("sobol", 5, "toy/hill")]
    sections, left = gather(gap, plan(seeds=6))
    assert [(s.seeds, s.optimizers) for s in sections] == [
        (2, ("gp", "random", "sobol")),
        (5, ("random", "sobol")),
    ]  # random's sixth seed alone makes no section
    assert dict(left)["gp"] == "2 tasks: 4 of 12 cells are there so far"
    text = markdown(plan(seeds=6), sections, left)
    assert "## 2 tasks, 2 seeds, 3 optimizers" in text
    assert "## 2 tasks, 5 seeds, 2 optimizers" in text


def test_one_seed_has_no_interval_and_says_so() -> None:
    (section,), _ = gather(everything(CURVES, seeds=1), plan(seeds=1))
    assert all(math.isnan(end) for row in rows(section) for end in (*row.rank[1:], *row.regret[1:]))
    text = markdown(plan(seeds=1), [section], [])
    assert "## 2 tasks, 1 seed, 3 optimizers" in text
    assert "One seed: there are no intervals" in text
    assert "| gp | 1.00 | 0.0000 |" in text
    assert "<strong>One seed:" in page(plan(seeds=1), [section], [], {})
    two = markdown(plan(), gather(everything(CURVES), plan())[0], [])
    assert "the intervals are too narrow" in two
    many = markdown(plan(seeds=6), gather(everything(CURVES, seeds=6), plan(seeds=6))[0], [])
    assert "too narrow" not in many


def test_a_tuner_that_cannot_is_left_out_with_the_reason() -> None:
    found = everything(CURVES)
    found += [
        result(t, "dehb/dehb", s, [], state="unsupported", message="it needs a curve")
        for t in TASKS
        for s in (0, 1)
    ]
    (section,), left = gather(found, plan(*CURVES, "dehb/dehb"))
    assert "dehb/dehb" not in section.optimizers
    assert left == [("dehb/dehb", "2 tasks: it needs a curve")]


class Reader(HTMLParser):
    """Checks that tags are closed in order and that nothing is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_offline_and_escaped() -> None:
    sections, left = gather(everything(CURVES), plan())
    text = page(plan(), sections, left, {"machine": "<script>"})
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert "<bowls>" not in text
    assert "<script>" not in text
    assert text.count("<svg") == 4 + len(TASKS)  # curves, two profiles, differences, each task
    for name in CURVES:
        assert name in text


def test_written_files_are_the_same_for_the_same_results(tmp_path: Path, cli: Cli) -> None:
    for place in ("a", "b"):
        folder = tmp_path / place
        enter(folder, Plan(SUITE, read(tuple(CURVES)), 2))
        for cell in plan().cells():
            name = cell.optimizer.name
            results.write(folder, cell, result(cell.task, name, cell.seed, CURVES[name]))
        text, files = write(folder)
        assert {f.name for f in files} == {"report.html", "report.md", "results.jsonl.xz"}
    for file in ("report.html", "report.md", "results.jsonl.xz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    told = cli("bench", "report", tmp_path / "a")
    assert told.code == 0
    assert told.out.strip() == text.strip()
    assert re.search(r"\| random \| 2\.00 \(2\.00 to 2\.00\)", text)


def test_a_folder_without_a_comparison(tmp_path: Path, cli: Cli) -> None:
    told = cli("bench", "report", tmp_path)
    assert told.code == 2
    assert "is not the folder of a comparison" in told.err
    enter(tmp_path / "new", plan())
    with pytest.raises(BenchmarkError, match="holds no results yet"):
        write(tmp_path / "new")
    (tmp_path / "new" / "run.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(BenchmarkError, match="another version"):
        write(tmp_path / "new")


def test_the_command_line_runs_and_reports(tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('about = "mine"\ntasks = ["toy/*"]\nbudget = { trials = 5 }\n')
    command = ("bench", "run", "--suite", file, "--optimizers", "random,sobol", "--seeds", "2")
    done = cli(*command, "--out", "out", "--json")
    assert done.code == 0, done.err
    assert (done.json["ran"], done.json["states"]) == (8, {"done": 8})
    assert cli(*command, "--out", "out", "--json").json["ran"] == 0
    other = cli(*command, "--out", "out", "--budget", "trials=6")
    assert other.code == 2
    assert "made with other settings" in other.err
    assert "## 2 tasks, 2 seeds, 2 optimizers" in cli("bench", "report", "out").out
