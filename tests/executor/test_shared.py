"""A job and its driver speak through a folder."""

import json
import threading

import pytest

from maquette.executor.lines import LineReader, append_line
from maquette.executor.protocol import Outcome
from maquette.executor.shared import DriverSide, JobSide, new_run, runs_of
from maquette.trial import Action, Decision, Report, State

STOP = Decision(Action.STOP, reason="enough")


@pytest.fixture
def run(tmp_path):
    return new_run(tmp_path, 0, 1)


def report(step):
    return Report(step, {"loss": 1.0 / step})


def answer_all(driver, decide, n):
    """Answer until the n-th report has been answered, in a thread of its own."""

    def answer():
        count = 0
        while count < n:
            for heard in driver.reports():
                driver.answer(decide(heard))
                count += 1

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return thread


def test_each_report_gets_its_own_answer(run):
    thread = answer_all(DriverSide(run), lambda r: STOP if r.step == 3 else Decision(), 4)
    job = JobSide(run)
    assert [bool(job.ask(report(step))) for step in (1, 2, 3, 4)] == [True, True, False, True]
    thread.join()


def test_other_ranks_hear_the_same_answers_in_step(run):
    """Behind or ahead of the first rank, the n-th answer is that to the n-th report."""
    driver, first, second = DriverSide(run), JobSide(run), JobSide(run, rank=1)
    thread = answer_all(driver, lambda r: STOP if r.step == 2 else Decision(), 2)
    assert [bool(first.ask(report(step))) for step in (1, 2)] == [True, False]
    thread.join()
    assert [bool(second.ask(report(step))) for step in (1, 2)] == [True, False]
    assert len(LineReader(run / "reports.jsonl").read()) == 2


def test_without_a_driver_the_job_goes_on_and_waits_but_once(run):
    job, waits = JobSide(run, patience=0.2), []

    def leave():
        waits.append(1)
        return False

    assert job.ask(report(1), leave)
    waits.clear()
    assert job.ask(report(2), leave)
    assert job.ask(report(3), leave)
    assert len(waits) <= 2  # it looked once each time, and did not wait


def test_a_new_driver_hears_what_none_heard_and_its_order_arrives(run):
    job = JobSide(run, patience=0.05)
    first = DriverSide(run)
    job.ask(report(1))
    for heard in first.reports():
        assert heard.step == 1  # it is recorded, and then the driver dies
    job.ask(report(2))
    second = DriverSide(run, known=1)
    heard = []
    for item in second.reports():
        heard.append(item.step)
        second.answer(STOP)
    assert heard == [2]
    assert not job.ask(report(3))


def test_answers_given_twice_do_not_shift_the_others(run):
    """A driver that came back from the dead answers what its successor has answered."""
    driver, zombie = DriverSide(run), DriverSide(run)
    job = JobSide(run, patience=0.05)
    job.ask(report(1))
    for side in (driver, zombie):
        for _ in side.reports():
            side.answer(Decision())
    job.ask(report(2))
    for _ in driver.reports():
        driver.answer(STOP)
    assert not job.ask(report(3))


def test_only_the_youngest_lease_may_end_a_run(run):
    driver = DriverSide(run)
    driver.claim(3)
    assert driver.is_held(3)
    DriverSide(run).claim(5)
    assert not driver.is_held(3)
    assert driver.is_held(5)


def test_ends_are_told_whole(run):
    job, driver = JobSide(run), DriverSide(run)
    assert driver.outcome() is None
    assert not job.is_to_end()
    driver.end()
    assert job.is_to_end()
    outcome = Outcome(0, State.OOM, {"loss": 2.0}, 3.0, 4.0, "no memory", lost=True)
    job.finish(outcome)
    assert driver.outcome() == outcome
    assert job.is_finished()


def test_a_rank_says_how_it_failed(run):
    outcome = Outcome(0, State.CRASHED, message="rank down")
    assert JobSide(run).failed() is None
    JobSide(run, rank=12).fail(outcome)
    assert JobSide(run).failed() == (12, outcome)


def test_runs_of_a_job_are_told_apart(tmp_path):
    runs = [new_run(tmp_path, 0, 1) for _ in range(3)]
    assert len(set(runs)) == 3
    assert set(runs_of(tmp_path, 0)) == set(runs)
    assert runs_of(tmp_path, 1) == []


def test_a_torn_line_is_passed_over_and_ends_where_the_next_begins(tmp_path):
    path = tmp_path / "lines"
    append_line(path, {"n": 1})
    reader = LineReader(path)
    with open(path, "ab") as file:
        file.write(b'{"n": 2, "re')
    assert reader.read() == [{"n": 1}]
    assert reader.read() == []
    append_line(path, {"n": 3})
    assert reader.read() == [{"n": 3}]
    with open(path, "ab") as file:
        file.write(b"[1]\n" + json.dumps({"n": 4}).encode() + b"\n")
    assert reader.read() == [{"n": 4}]
