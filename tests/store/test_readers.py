"""What other programs read with plain SQL, and how fast and large a store is."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from sqlalchemy import inspect

from maquette.events import BudgetChanged, Ended, Proposed, Reported, Requeued, SpaceChanged
from maquette.history import History, Problem
from maquette.objective import Objective
from maquette.space import Float, Space
from maquette.store import Store, open_store
from maquette.store.schema import metadata
from maquette.testing.store_steps import propose, running, told
from maquette.trial import State


def _query(store: Store, query: str) -> Sequence[Any]:
    with store._reading() as connection:  # type: ignore[attr-defined]
        return connection.exec_driver_sql(query).fetchall()  # type: ignore[no-any-return]


def _fill(store: Store) -> int:
    spec = {"objective": Objective(maximize='it\'s "acc"').to_json()}
    study = store.create("x'y", spec).id
    name = 'it\'s "acc"'
    store.append(study, [BudgetChanged(trials=9), SpaceChanged({"a": math.nan})])
    config = {"lr": 0.1, "text": "🐘 \x00 ' \" \\", "nan": math.nan}
    store.append(
        study,
        [
            Proposed(-1, -1, config, scale={"width": 64.0}, origin="sobol"),
            Reported(-1, -1, 1.0, {name: 0.1}, cost=2.0, seconds=1.0),
            Reported(-1, -1, 2.0, {name: math.nan}, cost=3.0, seconds=2.0),
            Ended(-1, -1, State.DONE, {name: 0.25, "big": 1e308}, cost=5.0, seconds=3.0),
            Proposed(-1, -1, {"lr": 0.2}),
            Ended(-1, -1, State.DIVERGED, {name: math.inf}, message="a \x00 'message' é🐘 \udc80"),
            Proposed(-1, -1, {"lr": 0.3}),
            Ended(-1, -1, State.DONE, {name: math.nan}, cost=math.inf),
            Proposed(-1, -1, {"lr": 0.4}),
            Ended(-1, -1, State.PAUSED, {name: 0.5}, seconds=1.0),
            Proposed(3, -1, None),
            Reported(-1, -1, 9.0, {name: 0.6}, seconds=4.0),
            Ended(-1, -1, State.DONE, {name: 0.75}, seconds=5.0),
            Proposed(-1, -1, {"lr": 0.5}),
            Ended(-1, -1, State.PAUSED),
        ],
    )
    trial, job, token = running(store, study, "me")
    store.record(study, {job: token}, [Requeued(trial, job, "lost")])
    running(store, study, "me")
    propose(store, study)
    return study


def test_the_view_of_trials(database: Store) -> None:
    _fill(database)
    rows = _query(
        database,
        "SELECT study, trial, state, value, seconds, cost, origin, message, config, metrics, scale,"
        " proposed, started, ended FROM trials ORDER BY trial",
    )
    assert {row[0] for row in rows} == {"x'y"}
    assert [tuple(row[1:6]) for row in rows] == [
        (0, "done", 0.25, 3.0, 5.0),
        (1, "diverged", None, 0.0, None),
        (2, "done", None, 0.0, None),
        (3, "done", 0.75, 6.0, None),
        (4, "paused", None, 0.0, None),
        (5, "queued", None, ANY, None),  # the time of the run that was lost
        (6, "running", None, 0.0, None),
        (7, "queued", None, 0.0, None),
    ]
    assert [row[6] for row in rows] == ["sobol"] + ["user"] * 7
    assert "'message' é🐘 ?" in rows[1][7]
    assert json.loads(rows[0][8])["lr"] == 0.1
    assert json.loads(rows[0][9])["big"] == 1e308
    assert json.loads(rows[0][10]) == {"width": 64.0}
    assert [row[11] is not None for row in rows] == [True] * 8
    assert [row[12] is not None for row in rows] == [False] * 5 + [True, True, False]
    assert [row[13] is not None for row in rows] == [True] * 4 + [False] * 4


def test_the_view_of_reports(database: Store) -> None:
    _fill(database)
    query = "SELECT study, trial, job, step, value, cost, seconds FROM reports ORDER BY time, step"
    assert [tuple(row) for row in _query(database, query)] == [
        ("x'y", 0, 0, 1.0, 0.1, 2.0, 1.0),
        ("x'y", 0, 0, 2.0, None, 3.0, 2.0),
        ("x'y", 3, 4, 9.0, 0.6, None, 4.0),
    ]


def test_sqlite_finds_json_in_every_body(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store.db")
    _fill(store)
    store.close()
    connection = sqlite3.connect(f"file:{tmp_path / 'store.db'}?mode=ro", uri=True)
    assert connection.execute("SELECT min(json_valid(body)), count(*) FROM events").fetchone()[0]
    assert connection.execute("SELECT min(json_valid(spec)) FROM studies").fetchone() == (1,)
    text = connection.execute("SELECT body FROM events WHERE number = 4").fetchone()[0]
    assert "NaN" not in text
    connection.close()


def test_the_tables_are_as_documented(database: Store) -> None:
    with database._reading() as connection:  # type: ignore[attr-defined]
        found = inspect(connection)
        for table in metadata.sorted_tables:
            columns = [column["name"] for column in found.get_columns(table.name)]
            assert columns == [column.name for column in table.columns]
        assert set(found.get_view_names()) == {"trials", "reports"}
        assert dict(connection.exec_driver_sql("SELECT key, value FROM meta").fetchall()) == {
            "schema": "2",
            "maquette": "0.1",
        }


def test_ten_thousand_events_are_read_quickly_and_kept_small(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store.db")
    study = store.create("a", {}).id
    config = {f"parameter_{i}": 0.123456789 * i for i in range(10)}
    for _ in range(10):
        store.append(study, [body for _ in range(500) for body in told(0.5, **config)])
    took = []
    for _ in range(3):
        began = time.perf_counter()
        assert len(store.read(study)) == 10_000
        took.append(time.perf_counter() - began)
    store.close()
    assert min(took) < 1.0  # a tenth of that on an idle machine; types are checked in tests
    assert (tmp_path / "store.db").stat().st_size < 5_000 * 1_000


@pytest.mark.parametrize("program", ["open_store(None).create('a', {})", "new_owner()"])
def test_memory_needs_no_database_library(program: str) -> None:
    code = (
        f"import sys; from maquette.store import *; {program}; print('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert {"sqlalchemy", "sqlite3"}.isdisjoint(done.stdout.decode().split())


def test_a_forked_child_opens_connections_of_its_own(database: Store) -> None:
    study = database.create("a", {}).id
    database.append(study, told())
    engine = database._engine  # type: ignore[attr-defined]
    pool = engine.pool
    database._pid = -1  # type: ignore[attr-defined]  # as after a fork
    database.append(study, told())
    assert engine.pool is not pool
    assert len(database.read(study)) == 4
    pool.dispose()


def test_the_view_counts_every_run_of_a_job(database: Store) -> None:
    """A run that was lost is spent: the view holds what the history holds."""
    spec = {"objective": Objective(minimize="loss", cost="flops").to_json()}
    study = database.create("again", spec).id
    trial, job, token = running(database, study, "me")
    database.record(study, {job: token}, [Reported(trial, job, 1.0, {}, cost=7.0, seconds=4.0)])
    database.record(study, {job: token}, [Requeued(trial, job, "lost")])
    event = database.start(study, job, "you", 60.0)
    assert event is not None
    second = event.body.token  # type: ignore[union-attr]
    end = Ended(trial, job, State.DONE, {"loss": 1.0}, cost=5.0, seconds=3.0)
    database.record(study, {job: second}, [end])
    database.append(study, told())
    problem = Problem(Space({"lr": Float(0, 1)}), Objective(minimize="loss", cost="flops"))
    history = History(problem)
    history.extend(database.read(study))
    rows = _query(database, "SELECT seconds, coalesce(cost, 0) FROM trials ORDER BY trial")
    assert [tuple(row) for row in rows] == [(t.seconds, t.cost) for t in history.trials]
    assert tuple(rows[0]) == (7.0, 12.0)


def test_the_view_counts_the_time_of_a_run_that_was_lost_in_silence(database: Store) -> None:
    study = database.create("silent", {"objective": Objective(minimize="loss").to_json()}).id
    trial, job, token = running(database, study, "me")
    began = database.read(study)[-1].time
    lost = Requeued(trial, job, "lost", alive=began + 0.001)
    time.sleep(0.01)
    database.record(study, {job: token}, [lost])
    found = _query(database, "SELECT seconds, cost FROM trials")
    assert found[0][0] == pytest.approx(0.001, abs=1e-4)
    assert found[0][1] is None
