"""What users ask of a study from another process: stop, requeue, add."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import maquette as mq
from maquette.errors import SpaceError, StoreError, StudyError
from maquette.store import MemoryStore

ROOT = Path(__file__).parents[2]
SPACE = {"x": mq.Float(0.0, 1.0, default=0.5), "n": mq.Int(1, 9, default=3)}


def wait_until(true, what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@contextmanager
def driver(url: str, function: str, budget: int, workers: int) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.study.runner", url, function, str(budget), str(workers)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            yield program
        finally:
            program.kill()


def other(url: str) -> mq.Study:
    return mq.Study.load("s", url, read_only=False)


def test_a_stop_drains_a_driver_in_another_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with driver(url, "slow", 200, 2) as running:
        study = other(url)
        wait_until(lambda: study.history.counts().get("done", 0) >= 2, "nothing ended")
        study.stop()
        assert running.wait(60) == 3
    assert set(study.history.counts()) <= {"done", "queued"}
    assert len(study.trials) < 200
    # An old request binds no driver that begins later.
    ended = len(study.trials)
    with driver(url, "slow", ended + 2, 2) as running:
        assert running.wait(60) == 0
    assert study.history.counts() == {"done": ended + 2}


def test_stop_now_puts_what_runs_back_in_the_queue(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with driver(url, "endless", 4, 2) as running:
        study = other(url)
        wait_until(lambda: len(study.history.running) == 2, "nothing runs")
        study.stop(now=True)
        assert running.wait(60) == 3
    assert study.history.counts() == {"queued": 2}


def test_one_trial_is_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with driver(url, "endless_first", 3, 2) as running:
        study = other(url)
        wait_until(lambda: study.history.counts().get("done", 0) == 2, "the others did not end")
        assert study.trials[0].state == "running"
        study.stop(0, now=True)
        assert running.wait(60) == 0
    assert [t.state.value for t in study.trials] == ["stopped", "done", "done"]
    assert "user" in study.trials[0].message


def test_a_stopped_trial_hears_it_at_its_next_report() -> None:
    seen = []

    def fn(trial):
        for step in range(1, 10):
            if trial.number == 1 and step == 3:
                mq.Study.load("s", store, read_only=False).stop(1)
            seen.append((trial.number, step))
            if not trial.report(step, loss=trial["x"]):
                break
        return trial["x"]

    store = MemoryStore()
    study = mq.Study("s", SPACE, fn, store=store, searcher="random")
    study.run(3)
    assert [t.state.value for t in study.trials] == ["done", "stopped", "done"]
    assert (1, 3) in seen
    assert (1, 4) not in seen


def test_a_run_in_this_process_is_stopped_at_a_report() -> None:
    def fn(trial):
        if trial.number == 2:
            mq.Study.load("s", store, read_only=False).stop(now=True)
        trial.report(1, loss=1.0)
        return trial["x"]

    store = MemoryStore()
    study = mq.Study("s", SPACE, fn, store=store, searcher="random")
    with pytest.raises(mq.Interrupted):
        study.run(6)
    assert study.history.counts() == {"done": 2, "queued": 1}


def test_trials_that_nobody_drives_end_at_once() -> None:
    study = mq.Study("s", SPACE, fidelity={"steps": (1, 9)}, scheduler="asha", searcher="random")
    asked = study.ask(2)
    study.stop(0)
    assert not asked[0].report(1, loss=0.5)
    study.tell(0, state="stopped")
    study.stop(1, now=True)
    assert [t.state.value for t in study.trials] == ["stopped", "stopped"]
    with pytest.raises(StudyError):
        study.tell(asked[1], 0.5)


def test_a_paused_trial_ends_and_is_not_promoted() -> None:
    promote = mq.schedule.ASHA(mode="promote")
    study = mq.Study("s", SPACE, fidelity={"steps": (1, 9)}, scheduler=promote, searcher="random")
    for i, trial in enumerate(study.ask(3)):
        study.tell(trial, float(i))
    assert study.history.counts() == {"paused": 3}
    study.stop(0)
    assert study.trials[0].state == "stopped"
    assert study.ask().number != 0


def test_what_cannot_be_stopped_is_named() -> None:
    study = mq.Study("s", SPACE)
    study.tell(study.ask(), 0.1)
    with pytest.raises(StudyError, match=r"trial 0 has ended \(done\)"):
        study.stop(0)
    with pytest.raises(StudyError, match="no trial 7"):
        study.stop([0, 7])
    with pytest.raises(StudyError, match="number"):
        study.stop(["0"])
    study.stop([])
    assert not study.history.orders.stop


def test_what_a_user_adds_is_tried_next_and_beyond_the_budget() -> None:
    study = mq.Study("s", SPACE, lambda trial: trial["x"], searcher="random")
    study.run(3)
    study.add({"x": 0.25})
    study.add({"x": 0.75, "n": 9})
    study.run(3)
    assert [dict(t.config) for t in study.trials[3:]] == [
        {"x": 0.25, "n": 3},
        {"x": 0.75, "n": 9},
    ]
    assert {t.origin for t in study.trials[3:]} == {"user"}
    study.run(3)
    assert len(study.trials) == 5


def test_an_added_config_changes_no_later_proposal() -> None:
    def study() -> mq.Study:
        return mq.Study("s", SPACE, lambda trial: trial["x"], searcher="random", seed=3)

    plain, added = study(), study()
    plain.run(5)
    added.run(2)
    added.add({"x": 0.5})
    added.run(5)
    configs = [dict(t.config) for t in added.trials]
    del configs[2]
    assert configs[:2] == [dict(t.config) for t in plain.trials][:2]
    assert configs[2:] == [dict(t.config) for t in plain.trials][3:]


def test_an_added_config_runs_at_the_scale_asked_for() -> None:
    scale = mq.Scale([{"width": 8}, {"width": 16}], width=(8, 64))
    study = mq.Study("s", SPACE, lambda trial: trial["x"], scale=scale, searcher="random")
    study.add({"x": 0.5}, scale={"width": 32})
    study.run(2)
    assert dict(study.trials[0].scale) == {"width": 32}
    assert study.trials[1].scale["width"] in (8, 16)


def test_an_added_config_goes_through_the_scheduler() -> None:
    promote = mq.schedule.ASHA(mode="promote")
    study = mq.Study("s", SPACE, fidelity={"steps": (1, 9)}, scheduler=promote, searcher="random")
    study.add({"x": 0.5})
    trial = study.ask()
    assert trial["x"] == 0.5
    assert trial.until == {"steps": 1}


def test_a_config_that_does_not_fit_is_refused_whole() -> None:
    study = mq.Study("s", SPACE)
    with pytest.raises(SpaceError) as refused:
        study.add({"x": 7, "m": 1})
    assert len(refused.value.problems) == 2
    with pytest.raises(StudyError, match="scale"):
        study.add({"x": 0.5}, scale={"width": 2})
    assert not study.history.orders.queue


def test_failed_trials_are_tried_again_once() -> None:
    def fn(trial):
        if trial.number in (1, 2):
            raise MemoryError if trial.number == 1 else ValueError("no")
        return trial["x"]

    study = mq.Study("s", SPACE, fn, searcher="random")
    study.run(4)
    assert study.requeue(states="oom") == [1]
    assert study.requeue() == [2]
    assert study.requeue() == []
    study.run(4)
    trials = study.trials
    assert [t.state.value for t in trials] == ["done", "oom", "crashed", "done", "done", "done"]
    assert [dict(t.config) for t in trials[4:]] == [dict(t.config) for t in trials[1:3]]
    assert {t.origin for t in trials[4:]} == {"requeued"}
    assert study.requeue() == []
    assert study.requeue(0) == [0]


def test_a_text_is_no_list_of_trials() -> None:
    with pytest.raises(mq.MaquetteError, match="not by 'oom'"):
        mq.Study("s", {"x": mq.Float(0, 1)}).requeue("oom")  # type: ignore[arg-type]


def test_what_cannot_be_requeued_is_named() -> None:
    study = mq.Study("s", SPACE)
    study.ask()
    with pytest.raises(StudyError, match="has not ended"):
        study.requeue(0)
    with pytest.raises(StudyError, match="crashed"):
        study.requeue(states="crash")
    with pytest.raises(StudyError, match="not by both"):
        study.requeue(0, states="oom")


def test_orders_survive_the_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    study = mq.Study("s", SPACE, store=url)
    study.ask()
    study.add({"x": 0.25})
    study.stop(0)
    study.stop(now=True)
    found = mq.Study.load("s", url).history.orders
    assert found.trials == {0: False}
    assert [dict(w.config) for w in found.queue.values()] == [{"x": 0.25, "n": 3}]
    assert found.stop == found.stop_now > 0


def test_looking_writes_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "typo.db"
    with pytest.raises(StoreError):
        mq.Study.load("s", f"sqlite:///{missing}", read_only=False)
    assert not missing.exists()
    url = f"sqlite:///{tmp_path / 'a.db'}"
    mq.Study("s", SPACE, store=url)
    with pytest.raises(StoreError):
        mq.Study.load("s", url).add({"x": 0.5})
