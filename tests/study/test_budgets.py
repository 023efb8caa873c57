"""Budgets are totals: over restarts, over drivers, and over what was lost on the way."""

import signal
import sqlite3
from contextlib import closing

import pytest

import maquette as mq
from maquette.events import Ended, Started
from maquette.history import History
from maquette.study.budget import Budget
from maquette.study.meter import Meter
from tests.study import programs
from tests.study.test_faults import driver, look, start, until

DRIVERS = 4


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/s.db"


def together(url, function, budget):
    """Let four driver processes with two workers each run one study to the end of its budget."""
    processes = [start(url, function, budget) for _ in range(DRIVERS)]
    try:
        for process in processes:
            process.communicate(timeout=120)
            assert process.returncode == 0
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def folds(url):
    """Yield every event with the history before it."""
    study = look(url)
    events = study.store.read(study._id)
    history = History(study._problem)
    for event in events:
        yield event, history
        history.extend([event])


@pytest.mark.slow
def test_four_drivers_together_run_exactly_as_many_trials_as_there_are(url):
    for total in (17, 23):
        together(url, "priced", f"trials={total}")
        history = look(url).history
        assert history.counts() == {"done": total}
        assert [job.starts for job in history.jobs] == [1] * total
    assert len({job.owner for job in history.jobs}) > 2


@pytest.mark.slow
def test_four_drivers_start_nothing_once_the_cost_is_spent(url):
    limit = 150.0
    together(url, "priced", f"cost={limit:g}")
    running = 0
    for event, history in folds(url):
        if isinstance(event.body, Started):
            assert history.cost < limit
            running += 1
        elif isinstance(event.body, Ended):
            running -= 1
    over = look(url).history.cost - limit
    assert running == 0
    # What runs when the budget is reached runs on: two workers for each driver, one has just ended.
    assert 0 <= over <= 10.0 * (2 * DRIVERS - 1)


@pytest.mark.slow
def test_four_drivers_start_nothing_once_the_seconds_are_spent(url):
    limit = 3.0
    together(url, "priced", f"seconds={limit:g}")
    late = [
        history.elapsed(event.time) - limit
        for event, history in folds(url)
        if isinstance(event.body, Started)
    ]
    assert max(late) < 1.0  # the start's own transaction may have waited for the disk
    assert len(late) > DRIVERS
    assert look(url).history.elapsed() >= limit


@pytest.mark.slow
def test_a_budget_of_trials_holds_when_drivers_are_killed_and_come_back(url):
    for _ in range(3):
        with driver(url, "priced", "trials=12") as one, driver(url, "priced", "trials=12") as two:
            until(lambda: look(url).history.counts().get("done", 0) > 0)
            one.send_signal(signal.SIGKILL)
            two.send_signal(signal.SIGKILL)
    with driver(url, "priced", "trials=12") as last:
        last.communicate(timeout=120)
        assert last.returncode == 0
    assert look(url).history.counts() == {"done": 12}


def test_seconds_spent_dead_are_not_spent(url):
    with driver(url, "with_child", "seconds=900", MAQUETTE_TEST_PIDS=url[10:-5]) as process:
        until(lambda: look(url).history.counts().get("running", 0) == 2)
        process.kill()
        process.communicate()
    day = 86_400
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        # As if it had been killed a day ago.
        connection.execute("update events set time = time - ?", (day,))
        connection.execute("update leases set expires = expires - ?", (day,))
    study = mq.Study("s", {"x": mq.Float(0.0, 1.0)}, programs.quadratic, store=url)
    study.run(4)
    assert study.history.counts() == {"done": 4}
    assert study.history.elapsed() < day / 2
    assert study.history.seconds < day / 2


def test_a_clock_that_is_off_and_jumps_does_no_harm():
    study = mq.Study("s", {"x": mq.Float(0.0, 1.0)}, searcher="random")
    trial = study.ask()
    offset = [300.0]
    stamps = study.store.read(1)
    meter = Meter(Budget(seconds=30), lambda: stamps[-1].time + offset[0])
    meter.hear(stamps)
    assert meter.spent(study.history) == ""
    offset[0] += 20
    assert meter.spent(study.history) == ""
    offset[0] += 11
    assert meter.spent(study.history) == "30 seconds are spent"
    offset[0] = -7200.0
    meter.hear(stamps)
    assert meter.spent(study.history) == ""
    study.tell(trial, 1.0)
