"""The same command on several machines, as any launcher starts it."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

import maquette as mq
from maquette.events import Ended, Started

# The fixture: a database that several processes can open, SQLite and PostgreSQL.
from tests.store.conftest import postgres_url, url  # noqa: F401

ROOT = Path(__file__).parents[2]
BUDGET = 24


def start(url, host, folder):  # noqa: F811
    return subprocess.Popen(
        [sys.executable, "-m", "tests.study.hosts", url, host, folder, str(BUDGET)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


@contextlib.contextmanager
def looking(url):  # noqa: F811
    study = mq.Study.load("hosts", url)
    try:
        yield study
    finally:
        study.store.close()


def at_work(url):  # noqa: F811
    """Return the hosts that have jobs."""
    with looking(url) as study:
        return {job.owner.partition("/")[0] for job in study.history.running}


@pytest.mark.slow
def test_three_machines_share_a_study_and_outlive_one_of_them(url, tmp_path):  # noqa: F811
    drivers = {host: start(url, host, tmp_path) for host in ("node1", "node2", "node3")}
    try:
        for driver in drivers.values():
            assert driver.stdout.readline() == b"ready\n"
        assert at_work(url) == set()  # the first look takes its time: before they begin
        for driver in drivers.values():
            driver.stdin.write(b"go\n")
            driver.stdin.flush()
        deadline = time.monotonic() + 60
        while "node2" not in at_work(url):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        drivers["node2"].kill()
        assert [drivers[host].wait(240) for host in ("node1", "node3")] == [0, 0]
    finally:
        for driver in drivers.values():
            driver.kill()
            driver.communicate()
    with looking(url) as study:
        assert study.history.counts() == {"done": BUDGET}
        events = study.store.read(study._id)
    assert [e.number for e in events] == list(range(1, len(events) + 1))
    ended = [e.body.trial for e in events if isinstance(e.body, Ended)]
    assert sorted(ended) == list(range(BUDGET))  # none lost, none twice
    # What the dead machine had begun was begun again elsewhere.
    owners = {}
    for event in events:
        if isinstance(event.body, Started):
            owners.setdefault(event.body.trial, []).append(event.body.owner.partition("/")[0])
    again = [hosts for hosts in owners.values() if len(hosts) > 1]
    assert again
    assert all(hosts[0] == "node2" for hosts in again)
