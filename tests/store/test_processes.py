"""Several processes on one store: numbers, leases and kills."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from maquette.errors import StoreLockedError
from maquette.events import Event, Proposed, Started
from maquette.store import open_store
from maquette.store.ledger import Ledger
from maquette.testing.store_steps import numbers, told

from . import programs
from .programs import start, wait


def _race(url: str, program: Any, processes: int, n: int) -> list[Event]:
    """Let processes write at once while this one reads on; return what it saw."""
    store = open_store(url)
    study = store.create("shared", {}).id
    others = [start(program, url, n) for _ in range(processes)]
    for _, pipe in others:
        assert wait(pipe) == "ready"
    for _, pipe in others:
        pipe.send("go")
    seen: list[Event] = []
    while any(process.is_alive() for process, _ in others):
        seen += store.read(study, len(seen))
    seen += store.read(study, len(seen))
    assert [wait(pipe) for _, pipe in others] == ["done"] * processes
    store.close()
    return seen


def test_four_processes_number_without_gaps(url: str) -> None:
    seen = _race(url, programs.tell, 4, 25)
    assert numbers(seen) == list(range(1, 201))
    bodies: list[Any] = [e.body for e in seen if isinstance(e.body, Proposed)]
    assert [body.trial for body in bodies] == list(range(100))
    assert len({(body.config["process"], body.config["i"]) for body in bodies}) == 100
    times = [event.time for event in seen]
    assert times == sorted(times)


def test_processes_that_create_one_store_at_once(url: str) -> None:
    others = [start(programs.tell, url, 2) for _ in range(5)]
    for _, pipe in others:
        assert wait(pipe) == "ready"
        pipe.send("go")
    assert [wait(pipe) for _, pipe in others] == ["done"] * 5
    store = open_store(url)
    assert [study.name for study in store.studies()] == ["shared"]
    assert numbers(store.read(store.find("shared").id)) == list(range(1, 21))
    store.close()


def test_four_proposers_take_turns(url: str) -> None:
    seen = _race(url, programs.propose, 4, 10)
    assert numbers(seen) == list(range(1, 81))
    bodies: list[Any] = [event.body for event in seen]
    proposed = [body for body in bodies if isinstance(body, Proposed)]
    started = [body for body in bodies if isinstance(body, Started)]
    assert [body.trial for body in proposed] == list(range(40))
    assert sorted(body.job for body in started) == list(range(40))
    # Whoever proposes has seen every proposal before its own.
    places = {e.body.trial: e.number for e in seen if isinstance(e.body, Proposed)}
    for body in proposed[1:]:
        assert places[body.trial - 1] <= body.basis < places[body.trial]


def test_a_writer_held_open_cannot_make_a_reader_skip(url: str) -> None:
    slow, quick, reader = (open_store(url) for _ in range(3))
    study = slow.create("shared", {}).id
    slow.append(study, told())
    inside, go_on = threading.Event(), threading.Event()

    def linger(ledger: Ledger) -> None:
        ledger.append(told())
        inside.set()
        go_on.wait(60)

    held = threading.Thread(target=lambda: slow._locked_turn(study, [], linger))  # type: ignore[attr-defined]
    behind = threading.Thread(target=lambda: quick.append(study, told()))
    held.start()
    assert inside.wait(60)
    behind.start()
    time.sleep(0.1)
    assert numbers(reader.read(study)) == [1, 2]
    released = time.time()
    go_on.set()
    held.join()
    behind.join()
    rest = reader.read(study, 2)
    assert numbers(rest) == [3, 4, 5, 6]
    assert rest[2].time >= released - 0.002, "the clock was read before the lock was got"
    for store in (slow, quick, reader):
        store.close()


def test_reading_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with_room = open_store(f"{url}?timeout=0.2")
    study = with_room.create("a", {}).id
    with_room.append(study, told())
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert len(with_room.read(study)) == 2
    began = time.monotonic()
    with pytest.raises(StoreLockedError, match=r"locked by another process") as error:
        with_room.append(study, told())
    assert 0.15 < time.monotonic() - began < 30
    assert "timeout=" in str(error.value.hint)
    other.execute("ROLLBACK")
    other.close()
    assert numbers(with_room.append(study, told())) == [3, 4]
    with_room.close()


def test_a_killed_driver_loses_its_leases_at_once(url: str) -> None:
    process, pipe = start(programs.hold_a_job, url)
    job = wait(pipe)
    assert wait(pipe) == "holding"
    store = open_store(url)
    study = store.create("shared", {}).id
    assert store.lost(study) == []
    assert store.acquire_proposer(study, "another", 60.0) is None
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not store.lost(study) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [(j.trial, j.job, j.token) for j in store.lost(study)] == [job]
    assert store.acquire_proposer(study, "another", 60.0) is not None
    store.close()


def test_kills_in_the_middle_of_writing_lose_nothing(url: str, tmp_path: Path) -> None:
    store = open_store(url)
    study = store.create("shared", {}).id
    rng = random.Random(0)
    for _ in range(20):
        process, pipe = start(programs.tell_forever, url)
        sure = wait(pipe)
        time.sleep(rng.uniform(0.0, 0.02))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        while pipe.poll():
            try:
                sure = pipe.recv()
            except EOFError:
                break
        events = store.read(study)
        assert numbers(events) == list(range(1, len(events) + 1))
        assert len(events) >= sure, "what was written for sure is gone"
        assert len(events) % 2 == 0, "half a transaction was written"
        store.append(study, told())
    store.close()
    if url.startswith("sqlite"):
        with sqlite3.connect(tmp_path / "store.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
