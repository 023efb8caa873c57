"""A job never outlives the driver that started it, however that driver goes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.executor import jobs

# Seconds: far less than the jobs would last, enough for a machine that is busy.
SOON = 30.0

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc")

DRIVER = """
import sys, pathlib
from maquette.executor import Process, open_executor
from maquette.testing.executors import finish, task
from tests.executor import jobs

if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    executor = open_executor(Process(fresh=sys.argv[3] == "fresh"), getattr(jobs, sys.argv[2]), 2)
    for job in range(2):
        executor.start(task(root, job, x=600.0))
    print("started", flush=True)
    if sys.argv[4] == "leave":
        for job in range(2):
            jobs.noted(root / str(job))
        sys.exit(0)
    finish(executor, n=2)
"""


def start(tmp_path, fn, fresh="fork", mode="stay"):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, tmp_path, fn, fresh, mode],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), os.getenv("PYTHONPATH")]))},
    )
    notes = [jobs.noted(tmp_path / str(job)) for job in range(2)]
    return driver, [note[key] for note in notes for key in ("job", "child", "server")]


def end(driver):
    driver.kill()
    driver.wait()
    driver.stdout.close()


@pytest.mark.parametrize(
    ("fn", "fresh"), [("pids", "fork"), ("stubborn", "fork"), ("pids", "fresh"), ("spins", "fork")]
)
def test_a_killed_driver_leaves_no_process(fn, fresh, tmp_path):
    driver, numbers = start(tmp_path, fn, fresh)
    assert all(jobs.alive(n) for n in numbers)
    end(driver)
    assert jobs.gone(numbers, SOON) == []


def test_a_driver_and_server_killed_at_once_leave_no_job(tmp_path):
    driver, numbers = start(tmp_path, "pids")
    note = jobs.noted(tmp_path / "0")
    os.kill(driver.pid, signal.SIGSTOP)  # so that it cannot clean up after its server
    os.kill(note["server"], signal.SIGKILL)
    strays = [jobs.noted(tmp_path / str(job))["child"] for job in range(2)]
    try:
        # Only what a job itself started can be left when both watchers are killed at once.
        assert jobs.gone([n for n in numbers if n not in (note["server"], *strays)], SOON) == []
    finally:
        end(driver)
        for stray in filter(jobs.alive, strays):
            os.kill(stray, signal.SIGKILL)


def test_a_driver_that_forgets_to_close_leaves_no_process(tmp_path):
    driver, numbers = start(tmp_path, "pids", mode="leave")
    try:
        assert driver.wait(60) == 0
        assert jobs.gone(numbers, SOON) == []
    finally:
        end(driver)


def test_ctrl_c_reaches_the_driver_alone(tmp_path):
    driver, numbers = start(tmp_path, "pids")
    os.kill(driver.pid, signal.SIGSTOP)
    try:
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
        time.sleep(0.3)
        assert all(jobs.alive(n) for n in numbers)
    finally:
        end(driver)
    assert jobs.gone(numbers, SOON) == []


HANGS = """
import os, pathlib, sys, time

if __name__ != "__main__":
    place = pathlib.Path(sys.argv[1])
    (place / "draft").write_text('{"server": %d}' % os.getpid())
    os.rename(place / "draft", place / "pids")
    time.sleep(600)

from maquette.executor import open_executor

def fn(trial):
    return 1.0

open_executor("process", fn)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_server_that_hangs_in_an_import_ends_with_its_driver(sign, tmp_path):
    (tmp_path / "hangs.py").write_text(HANGS)
    driver = subprocess.Popen(
        [sys.executable, tmp_path / "hangs.py", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    server = jobs.noted(tmp_path)["server"]
    assert jobs.alive(server)
    driver.send_signal(sign)
    try:
        driver.wait(SOON)
        assert jobs.gone([server], SOON) == []
    finally:
        end(driver)
