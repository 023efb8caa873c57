"""Signals, kills and several drivers: real processes, real signals."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import maquette as mq
from tests.study import programs

ROOT = Path(__file__).parents[2]


def start(url, function, budget, workers=2, **env):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.study.runner", url, function, str(budget), str(workers)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
        start_new_session=True,
    )


def look(url):
    return mq.Study.load("s", url)


def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except mq.MaquetteError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def says(process, words):
    """Read what a driver says until the words come."""
    for line in iter(process.stderr.readline, b""):
        if words in line:
            return
    raise AssertionError(f"it ended and never said {words!r}")


def alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@contextmanager
def driver(*args, **env):
    process = start(*args, **env)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/s.db"


def running(url):
    return look(url).history.counts().get("running", 0)


def test_the_first_interrupt_drains(url):
    with driver(url, "slow", 40) as process:
        until(lambda: running(url) == 2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 3
        assert b"waiting for running trials" in errors
    counts = look(url).history.counts()
    assert set(counts) <= {"done", "queued"}  # queued: proposed in the moment of the Ctrl-C
    assert counts["done"] >= 2
    study = mq.Study("s", {"x": mq.Float(0.0, 1.0)}, programs.slow, store=url, searcher="random")
    n = len(study.trials) + 1
    study.run(n)
    assert study.history.counts() == {"done": n}


INTERRUPT = (signal.SIGINT, b"stopping:")
CANCEL = (signal.SIGINT, b"cancelling:")


@pytest.mark.parametrize("signs", [(INTERRUPT, CANCEL), ((signal.SIGTERM, b"cancelling:"),)])
def test_the_second_interrupt_cancels_and_requeues(url, tmp_path, signs):
    with driver(url, "with_child", 10, MAQUETTE_TEST_PIDS=str(tmp_path)) as process:
        until(lambda: len(list(tmp_path.glob("*.pids"))) == 2)
        for sign, words in signs:
            process.send_signal(sign)
            says(process, words)
        process.communicate(timeout=60)
        assert process.returncode == 3
    assert look(url).history.counts() == {"queued": 2}
    pids = [int(p) for f in tmp_path.glob("*.pids") for p in f.read_text().split()]
    until(lambda: not any(map(alive, pids)), 30)


def test_the_third_interrupt_exits_and_nothing_stays_behind(url, tmp_path):
    with driver(url, "stubborn", 10, MAQUETTE_TEST_PIDS=str(tmp_path)) as process:
        until(lambda: len(list(tmp_path.glob("*.pids"))) == 2)
        for sign, words in (INTERRUPT, CANCEL):
            process.send_signal(sign)
            says(process, words)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=4)  # less than the grace of the second interrupt
        assert process.returncode == 3
    pids = [int(p) for f in tmp_path.glob("*.pids") for p in f.read_text().split()]
    until(lambda: not any(map(alive, pids)), 30)


def test_a_killed_driver_leaves_no_orphan_and_its_trials_are_run_again(url, tmp_path):
    with driver(url, "with_child", 10, MAQUETTE_TEST_PIDS=str(tmp_path)) as process:
        until(lambda: len(list(tmp_path.glob("*.pids"))) == 2)
        process.kill()
        process.communicate()
    pids = [int(p) for f in tmp_path.glob("*.pids") for p in f.read_text().split()]
    until(lambda: not any(map(alive, pids)), 30)
    assert look(url).history.counts() == {"running": 2}
    study = mq.Study("s", {"x": mq.Float(0.0, 1.0)}, programs.quadratic, store=url)
    study.run(4)
    assert study.history.counts() == {"done": 4}


def test_two_drivers_share_one_study_and_say_so(url):
    with driver(url, "slow", 30) as one:
        until(lambda: running(url))
        with driver(url, "slow", 30) as two:
            _, said = two.communicate(timeout=120)
            one.communicate(timeout=120)
    assert (one.returncode, two.returncode) == (0, 0)
    assert f"process {one.pid} on ".encode() in said
    assert said.count(b"runs this study too") == 1
    history = look(url).history
    assert history.counts() == {"done": 30}
    assert len({job.owner for job in history.jobs}) == 2
    assert all(job.starts == 1 for job in history.jobs)


@pytest.mark.slow
def test_kills_at_random_moments_lose_no_finished_trial(url):
    import random

    moments = random.Random(5)
    finished: dict[int, float] = {}
    for _ in range(8):
        with driver(url, "quadratic", 400) as process:
            process.stdout.readline()
            time.sleep(moments.uniform(0.0, 1.0))
            process.kill()
            process.communicate()
        now = {t.number: t.loss for t in look(url).trials if t.state is mq.State.DONE}
        assert finished.items() <= now.items()
        finished = now
    study = mq.Study("s", {"x": mq.Float(0.0, 1.0)}, programs.quadratic, store=url)
    study.run(max(len(study.trials), 5))
    assert set(study.history.counts()) == {"done"}
