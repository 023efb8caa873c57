"""The pieces alone: wire, log, report file, inline's own ways."""

import io
import json
import math
import os
import socket
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.executor import Inline, Outcome, Task, open_executor
from maquette.executor.log import CappedLog
from maquette.executor.reports import ReportFile, read_reports
from maquette.executor.wire import (
    Wire,
    decision_from_json,
    decision_to_json,
    outcome_from_json,
    outcome_to_json,
    task_from_json,
    task_to_json,
)
from maquette.fidelity import Fidelity
from maquette.objective import Objective
from maquette.testing.executors import go_on, task
from maquette.trial import Action, Decision, Report, State

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
NUMBERS = st.floats(allow_nan=False)


@pytest.fixture
def pair():
    left, right = (Wire(s) for s in socket.socketpair())
    yield left, right
    left.close()
    right.close()


# --- wire --------------------------------------------------------------------------------------


@given(st.lists(st.dictionaries(st.text(), SCALARS), max_size=5))
def test_messages_arrive_whole_and_in_order(messages):
    left, right = (Wire(s) for s in socket.socketpair())
    for message in messages:
        assert left.send(message)
    assert [right.next() for _ in messages] == messages
    left.close()
    assert right.next() is None
    assert not right.send({"late": 1})
    right.close()


def test_a_message_larger_than_any_buffer_arrives(pair):
    left, right = pair
    message = {"text": "é" * 3_000_000, "nan": math.nan, "numpy": np.float64(0.5)}
    sender = threading.Thread(target=left.send, args=(message,))
    sender.start()
    got = right.next()
    sender.join()
    assert got["text"] == message["text"]
    assert got["numpy"] == 0.5
    assert math.isnan(got["nan"])


def test_a_descriptor_travels_with_its_message(pair):
    left, right = pair
    for number in range(3):
        read, write = os.pipe()
        left.send({"n": number}, write)
        os.write(write, bytes([number]))
        os.close(write)
        assert right.next()["n"] == number
        os.close(right.descriptors.pop(0))
        assert os.read(read, 10) == bytes([number])
        assert os.read(read, 10) == b""  # the last copy of the writing end is closed
        os.close(read)


def test_what_is_not_json_is_not_sent(pair):
    with pytest.raises(TypeError, match="not a JSON value"):
        pair[0].send({"bad": object()})


@given(
    config=st.dictionaries(st.text(), SCALARS),
    until=st.dictionaries(st.text(), NUMBERS),
    instance=SCALARS,
    first=NUMBERS,
    start=st.lists(st.text()),
)
def test_a_task_travels_unchanged(config, until, instance, first, start):
    what = Task(
        3,
        5,
        config,
        Fidelity(until, {"width": 64}, instance),
        Objective(minimize=["a", "b"], maximize="c", constraints={"d": "<= 1"}, cost="flops"),
        seed=2**63,
        first_step=first,
        start=tuple(start),
        timeout=1.5,
    )
    again = task_from_json(json.loads(json.dumps(task_to_json(what))))
    assert again == what
    assert [type(v) for v in again.config.values()] == [type(v) for v in config.values()]


def test_decisions_and_outcomes_travel_unchanged():
    for decision in (Decision(), Decision(Action.PAUSE, 4, "größe", 0.25)):
        assert decision_from_json(json.loads(json.dumps(decision_to_json(decision)))) == decision
    outcome = Outcome(3, State.STOPPED, {"loss": math.inf}, 2.5, 0.125, "why\nnot")
    assert outcome_from_json(json.loads(json.dumps(outcome_to_json(outcome)))) == outcome


# --- log ---------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=30), max_size=20), st.integers(1, 40))
def test_a_log_keeps_the_beginning_and_the_end(tmp_path_factory, chunks, half):
    path = tmp_path_factory.mktemp("log") / "log.txt"
    log = CappedLog(path, "job 1", half)
    for chunk in chunks:
        log.write(chunk)
    log.close()
    whole, kept = b"".join(chunks), path.read_bytes()
    left_out = len(whole) - 2 * half
    if left_out <= 0:
        assert kept == whole
    else:
        note = f"\n[... {left_out:,} bytes left out here ...]\n".encode()
        assert kept == whole[:half] + note + whole[-half:]


def test_a_log_without_a_place_still_tells_its_last_lines(tmp_path):
    for path in (None, tmp_path / "missing" / "log.txt"):
        log = CappedLog(path, "job 1", 10)
        log.write("\n".join(f"line {i} é" for i in range(1000)).encode())
        assert log.tail().splitlines() == [f"line {i} é" for i in range(990, 1000)]
        log.close()


# --- reports -----------------------------------------------------------------------------------


def test_reports_survive_a_torn_line(tmp_path):
    assert read_reports(tmp_path) == []
    first, second = Report(1.0, {"loss": math.inf}, None, 0.5), Report(2.0, {"é": 1.0}, 3.0, 1.0)
    ReportFile(tmp_path, 1).append(first)
    with open(tmp_path / "reports.jsonl", "a") as file:
        file.write('{"job": 1, "step": 2, "met')
    ReportFile(tmp_path, 2).append(second)
    with open(tmp_path / "reports.jsonl", "a") as file:
        file.write("[1]\n{}\nnull\n")
    assert read_reports(tmp_path) == [first, second]
    assert read_reports(tmp_path, 2) == [second]


# --- inline ------------------------------------------------------------------------------------


def test_ctrl_c_passes_through_an_inline_job(tmp_path):
    def interrupted(trial):
        raise KeyboardInterrupt

    executor = open_executor("inline", interrupted)
    executor.start(task(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        executor.poll(0.0, go_on)


def test_an_inline_job_that_swallows_everything_is_still_cancelled(tmp_path):
    def swallows(trial):
        for step in range(5):
            try:
                trial.report(step, loss=1.0)
            except BaseException:
                continue
        return 1.0

    executor = open_executor("inline", swallows)

    def cancel(job, report):
        executor.cancel(job)
        return Decision()

    executor.start(task(tmp_path))
    assert [o.state for o in executor.poll(0.0, cancel)] == [State.INTERRUPTED]
    executor.start(task(tmp_path))

    def fail(job, report):
        raise LookupError

    with pytest.raises(LookupError):
        executor.poll(0.0, fail)


def test_an_inline_job_in_a_thread_is_timed_at_its_reports(tmp_path):
    import time

    def slow(trial):
        for step in range(100):
            time.sleep(0.02)
            trial.report(step, loss=1.0)
        return 1.0

    executor = open_executor("inline", slow)
    executor.start(task(tmp_path, timeout=0.1))
    ends = []
    thread = threading.Thread(target=lambda: ends.extend(executor.poll(0.0, go_on)))
    thread.start()
    thread.join()
    assert [o.state for o in ends] == [State.TIMEOUT]


def test_post_mortem_opens_the_debugger_where_it_failed(tmp_path, monkeypatch, capsys):
    def fails(trial):
        fish = trial["x"]
        raise ValueError(fish)

    monkeypatch.setattr("sys.stdin", io.StringIO("p 'the fish is', fish\nq\n"))
    executor = open_executor(Inline(debug=True), fails)
    executor.start(task(tmp_path, x=3.5))
    assert [o.state for o in executor.poll(0.0, go_on)] == [State.CRASHED]
    assert "('the fish is', 3.5)" in capsys.readouterr().out
