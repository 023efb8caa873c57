"""Comparisons: resumable, deterministic, and honest about what went wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from maquette.bench import catalogue
from maquette.bench.compare import Plan, Suite, cell, course, results, run
from maquette.bench.compare.optimizers import names, read
from maquette.bench.compare.suite import from_table, load
from maquette.bench.compare.suite import names as suite_names
from maquette.bench.peers import client
from maquette.errors import BenchmarkError
from maquette.study import Interrupted
from tests.cli.conftest import Cli
from tests.services import needs

pytestmark = pytest.mark.usefixtures("toys")


def suite(**changes: Any) -> Suite:
    return from_table("toys", {"tasks": ["toy/*"], "budget": {"trials": 12}, **changes})


def plan(*optimizers: str, seeds: int = 2, **changes: Any) -> Plan:
    return Plan(suite(**changes), read(optimizers or ("random", "sobol")), seeds)


def texts(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "timings.jsonl"
    }


class TestRuns:
    def test_same_command_same_bytes(self, tmp_path: Path) -> None:
        run(plan("random", "gp"), tmp_path / "a")
        run(plan("random", "gp"), tmp_path / "b")
        assert texts(tmp_path / "a") == texts(tmp_path / "b")
        assert len(results.read(tmp_path / "a")) == 8

    def test_what_was_interrupted_goes_on_to_the_same_results(self, tmp_path: Path) -> None:
        def stop(done: int, total: int, result: Any) -> None:
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(plan(), tmp_path / "a", progress=stop)
        assert len(results.read(tmp_path / "a")) == 3
        again = run(plan(), tmp_path / "a")
        assert (again.ran, again.kept) == (5, 3)
        run(plan(), tmp_path / "b")
        assert texts(tmp_path / "a") == texts(tmp_path / "b")
        assert run(plan(), tmp_path / "a").ran == 0

    def test_what_is_done_at_any_time_is_a_fair_comparison(self) -> None:
        cells = plan("random", "sobol", seeds=3).cells()
        assert [c.seed for c in cells] == [s for s in range(3) for _ in range(4)]
        assert {(c.task, c.optimizer.name) for c in cells[:4]} == {
            (t, o) for t in ("toy/valley", "toy/hill") for o in ("random", "sobol")
        }

    def test_ctrl_c_within_a_cell_is_no_result(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: Any, **__: Any) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            return []

        with monkeypatch.context() as patched:
            patched.setattr("maquette.search.sobol.design", interrupted)
            with pytest.raises(Interrupted):
                run(plan("random", "sobol", seeds=1), tmp_path)
        assert {r["optimizer"] for r in results.read(tmp_path)} == {"random"}
        assert run(plan("random", "sobol", seeds=1), tmp_path).states == {"done": 3}

    def test_optimizers_and_seeds_may_be_added(self, tmp_path: Path) -> None:
        run(plan("random", seeds=1), tmp_path)
        done = run(plan("sobol", seeds=2), tmp_path)
        assert (done.ran, done.kept) == (4, 0)
        held = json.loads((tmp_path / "run.json").read_text())
        assert (held["optimizers"], held["seeds"]) == (["random", "sobol"], 2)

    def test_other_settings_are_refused_and_named(self, tmp_path: Path) -> None:
        run(plan(), tmp_path)
        before = texts(tmp_path)
        with pytest.raises(BenchmarkError, match="workers is 1 there, 3 here") as found:
            run(plan(workers=3, budget={"trials": 5}), tmp_path)
        assert "budget is {'trials': 12} there, {'trials': 5} here" in str(found.value)
        assert texts(tmp_path) == before

    def test_a_folder_of_something_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("")
        with pytest.raises(BenchmarkError, match="not the folder of a comparison"):
            run(plan(), tmp_path)

    def test_noise_and_start_are_paired(self, tmp_path: Path) -> None:
        """With a shared start, the first trials of all optimizers are the same, noise included."""
        run(plan("random", "sobol", "gp", initial=4, seeds=1), tmp_path)
        found = results.read(tmp_path)
        for task in ("toy/hill", "toy/valley"):
            early = [[p for p in r["curve"] if p[0] <= 4] for r in found if r["task"] == task]
            # A model may recommend another config than the best observed: from the 4th on.
            assert [e[:3] for e in early[1:]] == [early[0][:3]] * 2

    def test_own_starts_differ(self, tmp_path: Path) -> None:
        run(plan("random", "sobol", seeds=1), tmp_path)
        a, b = [r["curve"][0] for r in results.read(tmp_path) if r["task"] == "toy/hill"]
        assert a != b

    def test_a_warm_start_is_the_best_of_the_other_task(self, tmp_path: Path) -> None:
        task, warm = catalogue.load("toy/hill"), suite(warm=3)
        start = cell.start(task, warm, seed=5)
        other = catalogue.load("toy/valley")
        assert len(start) == 3
        assert max(other.regret(start)) < 0.2  # of 100 random ones, whose median is 1
        run(Plan(warm, read(["random"]), 1), tmp_path)

    def test_virtual_workers_shorten_the_simulated_time(self, tmp_path: Path) -> None:
        run(plan("random", seeds=1), tmp_path / "one")
        run(plan("random", seeds=1, workers=4), tmp_path / "four")
        one, four = (results.read(tmp_path / n)[0]["curve"][-1] for n in ("one", "four"))
        assert one[0] == four[0] == 12
        assert four[1] < 0.4 * one[1]

    def test_what_ends_after_the_budget_of_seconds_does_not_count(self, tmp_path: Path) -> None:
        run(plan("random", budget={"seconds": 50}, workers=2), tmp_path)
        for r in results.read(tmp_path):
            assert r["curve"][-1][1] <= 50
            assert sum(r["trials"].values()) > r["curve"][-1][0]

    def test_what_ends_after_the_budget_of_cost_does_not_count(self, tmp_path: Path) -> None:
        run(plan("random", budget={"cost": 50}), tmp_path)
        assert all(r["curve"][-1][2] <= 50 for r in results.read(tmp_path))

    def test_packed_results_are_the_results(self, tmp_path: Path) -> None:
        run(plan(), tmp_path / "a")
        packed = results.pack(tmp_path / "a")
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / packed.name).write_bytes(packed.read_bytes())
        assert results.read(tmp_path / "b") == results.read(tmp_path / "a")
        assert results.pack(tmp_path / "b").read_bytes() == packed.read_bytes()

    def test_packed_results_are_not_run_again(self, tmp_path: Path) -> None:
        """A record goes on from what it holds: packed results beside the plan."""
        run(plan(seeds=1), tmp_path / "a")
        packed = results.pack(tmp_path / "a")
        (tmp_path / "b").mkdir()
        for name in ("run.json", packed.name):
            (tmp_path / "b" / name).write_bytes((tmp_path / "a" / name).read_bytes())
        done = run(plan(seeds=2), tmp_path / "b")
        assert (done.ran, done.kept) == (4, 4)
        run(plan(seeds=2), tmp_path / "a")
        assert results.read(tmp_path / "a") == results.read(tmp_path / "b")

    def test_results_of_some_are_forgotten_and_run_anew(self, tmp_path: Path, cli: Cli) -> None:
        file = tmp_path / "mine.toml"
        file.write_text('tasks = ["toy/*"]\nbudget = { trials = 3 }\n')
        command = ("bench", "run", "--suite", file, "--optimizers", "random,sobol", "--seeds", "1")
        assert cli(*command, "--out", "out", "--json").json["ran"] == 4
        before = results.read(Path("out"))
        results.pack(Path("out"))
        assert cli(*command, "--out", "out", "--json").json["ran"] == 0
        anew = cli(*command, "--out", "out", "--again", "sobol", "--json")
        assert anew.json["ran"] == 2
        assert "forgot 2 results of sobol" in anew.err
        assert results.read(Path("out")) == before
        wrong = cli(*command, "--out", "out", "--again", "sobl")
        assert wrong.code == 2
        assert "unknown optimizer 'sobl'" in wrong.err

    def test_what_another_process_finished_meanwhile_is_not_run_again(self, tmp_path: Path) -> None:
        def other(done: int, total: int, result: Any) -> None:
            if done == 1:
                run(plan("sobol"), tmp_path)

        done = run(plan("random", "sobol"), tmp_path, progress=other)
        assert (done.ran, done.kept) == (4, 4)
        assert len(results.read(tmp_path)) == 8

    def test_all_data_that_are_missing_are_named_before_anything_runs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.undo()
        (tmp_path / "data").mkdir()
        monkeypatch.setenv("MAQUETTE_DATA", str(tmp_path / "data"))
        catalogue.load.cache_clear()
        table = {"tasks": ["synthetic/noisy", "fcnet/n*", "steplaw/to-429M-8B"]}
        with pytest.raises(BenchmarkError) as found:
            run(Plan(from_table("mixed", table), read(["random"]), 1), tmp_path / "out")
        assert "naval_propulsion" in str(found.value)
        assert "steplaw" in str(found.value)
        assert not (tmp_path / "out" / "cells").exists()

    def test_damaged_results_are_named(self, tmp_path: Path) -> None:
        run(plan(seeds=1), tmp_path)
        one = next((tmp_path / "cells").rglob("0.json"))
        one.write_text('{"task": ')
        with pytest.raises(BenchmarkError, match=f"{one.name} is damaged"):
            results.read(tmp_path)


@needs("data")
class TestProcesses:
    """These start processes, which know the tasks that come with Maquette alone."""

    @pytest.fixture
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> Plan:
        monkeypatch.undo()
        table = {"tasks": ["fcnet/protein_structure"], "budget": {"trials": 8}}
        return Plan(from_table("small", table), read(["random", "sobol"]), 3)

    def test_results_do_not_depend_on_the_number_of_processes(
        self, quick: Plan, tmp_path: Path
    ) -> None:
        run(quick, tmp_path / "a")
        run(quick, tmp_path / "b", processes=2)
        assert texts(tmp_path / "a") == texts(tmp_path / "b")

    def test_ctrl_c_leaves_whole_results_and_no_process(self, quick: Plan, tmp_path: Path) -> None:
        def stop(done: int, total: int, result: Any) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(quick, tmp_path, processes=2, progress=stop)
        kept = len(results.read(tmp_path))
        assert 1 <= kept <= 6
        assert run(quick, tmp_path).kept == kept


class TestPeers:
    """Processes in the place of other tuners."""

    ANSWERS = """
import json, sys, time
for line in sys.stdin:
    request = json.loads(line)
    op = request["op"]
    if op == "start":
        started = ["schedules", "observes", "recommends"]
        print(json.dumps({"ok": {"versions": {"fake": "1"}, **dict.fromkeys(started, False)}}))
    elif op == "ask" and request["trial"] == LAST:
        WHAT
    else:
        config = {"x": request["trial"] / 20, "n": 4, "c": "a"}
        print(json.dumps({"ok": {"config": config, "until": None} if op == "ask" else None}))
    sys.stdout.flush()
"""

    def fake(self, folder: Path, monkeypatch: pytest.MonkeyPatch, what: str, last: int = 5) -> None:
        script = folder / "fake.py"
        script.write_text(self.ANSWERS.replace("WHAT", what).replace("LAST", str(last)))
        monkeypatch.setattr(cell, "command", lambda peer: [sys.executable, str(script)])
        assert client.command is not cell.command

    def outcomes(self, folder: Path, **options: Any) -> Sequence[Any]:
        done = run(plan("random", "hyperopt/tpe", seeds=1), folder, **options)
        assert done.ran == 4
        return [r for r in results.read(folder) if r["optimizer"] == "hyperopt/tpe"]

    def test_a_crash_is_recorded_with_what_came_before(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fake(tmp_path, monkeypatch, "sys.exit('lost the posterior')")
        for found in self.outcomes(tmp_path / "out"):
            assert found["state"] == "crashed"
            assert "lost the posterior" in found["message"]
            assert found["curve"][-1][0] == 5
            assert found["curve"][-1][3] is not None

    def test_a_hang_is_recorded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake(tmp_path, monkeypatch, "time.sleep(600)")
        for found in self.outcomes(tmp_path / "out", patience=2.0):
            assert found["state"] == "hung"
            assert "no answer to ask within 2 s" in found["message"]

    def test_retry_runs_again_what_went_wrong_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fake(tmp_path, monkeypatch, "sys.exit(1)")
        self.outcomes(tmp_path / "out")
        self.fake(tmp_path, monkeypatch, "pass", last=-1)
        both = plan("random", "hyperopt/tpe", seeds=1)
        assert run(both, tmp_path / "out").ran == 0
        assert run(both, tmp_path / "out", retry=True).states == {"done": 2}

    def test_a_peer_that_is_not_installed_is_recorded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MAQUETTE_PEERS", str(tmp_path / "none"))
        for found in self.outcomes(tmp_path / "out"):
            assert found["state"] == "missing"
            assert "hyperopt is not installed" in found["message"]

    def test_an_optimizer_of_ours_that_fails_is_recorded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("of nothing")

        monkeypatch.setattr("maquette.search.sobol.design", broken)
        done = run(plan("sobol", seeds=1), tmp_path)
        assert done.states == {"crashed": 2}
        assert "ZeroDivisionError: of nothing" in results.read(tmp_path)[0]["message"]


class TestNames:
    def test_unknown_optimizers_are_named_together(self) -> None:
        with pytest.raises(BenchmarkError) as found:
            read(["randm", "gp+ash", "optuna", "gp", "gp"])
        for words in ("'gp' is given twice", "'random'", "'gp+asha'", "'optuna/"):
            assert words in str(found.value)

    def test_every_name_is_read(self) -> None:
        assert [o.name for o in read(names())] == list(names())

    def test_unknown_suites_and_files(self, tmp_path: Path) -> None:
        with pytest.raises(BenchmarkError, match="Did you mean 'quick'"):
            load("quik")
        with pytest.raises(BenchmarkError, match="cannot read the suite"):
            load(str(tmp_path / "none.toml"))

    def test_every_problem_of_a_suite_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.toml"
        file.write_text('tasks = ["toy/vally"]\nwokers = 2\nworkers = 0\nbudget = {}\n')
        with pytest.raises(BenchmarkError) as found:
            load(str(file))
        for words in ("toy/vally", "'workers'", "workers must be", "give trials"):
            assert words in str(found.value)

    def test_the_suites_that_come_along_are_sound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        for name in suite_names():
            found = load(name)
            assert found.about
            assert from_table(name, {k: v for k, v in found.to_json().items() if k != "name"})


class TestRecommendations:
    def test_they_are_asked_at_the_same_counts_for_all(self, tmp_path: Path) -> None:
        run(plan("random", "sobol", seeds=1, budget={"trials": 30}), tmp_path)
        counts = {tuple(p[0] for p in r["curve"]) for r in results.read(tmp_path)}
        assert counts == {(1, 2, 3, 4, 5, 7, 9, 12, 15, 19, 24, 30)}

    def test_a_tuner_s_own_recommendation_goes_before_the_best_observed(self) -> None:
        import maquette as mq

        study = mq.Study("s", {"x": mq.Float(0, 1)})
        for x in (0.2, 0.7):
            study.tell({"x": x}, 1 - x)
        search = mq.search.Random()
        observed = course.Course(search)
        observed.mark(study.history)
        own = course.Course(search, recommend=lambda history: {"x": 0.5})
        own.mark(study.history)
        assert (observed.marks[0].config, own.marks[0].config) == ({"x": 0.7}, {"x": 0.5})
