"""Schema steps: forward only, once, and never half."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from maquette.errors import StoreError, StoreVersionError
from maquette.store import Store, migrations, open_store
from maquette.testing.store_steps import told


def _add_a_table(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE notes (study INTEGER, text TEXT)")


def _fail_halfway(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE half (x INTEGER)")
    connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")


def test_an_older_store_is_brought_forward(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(url)
    study = store.create("a", {}).id
    store.append(study, told())
    store.close()
    released = migrations.STEPS
    with monkeypatch.context() as later:
        later.setattr(migrations, "STEPS", (*released, ("0.7", _add_a_table)))
        with pytest.raises(StoreVersionError, match="older Maquette"):
            open_store(url, read_only=True)
        for _ in range(2):
            store = open_store(url)
            assert len(store.read(study)) == 2
            with store._reading() as connection:  # type: ignore[attr-defined]
                assert connection.exec_driver_sql("SELECT * FROM notes").fetchall() == []
            store.close()
    for read_only in (False, True):
        with pytest.raises(StoreVersionError, match=r"maquette>=0\.7"):
            open_store(url, read_only=read_only)


def test_a_step_that_fails_leaves_the_store_as_it_was(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(url)
    study = store.create("a", {}).id
    store.close()
    released = migrations.STEPS
    with monkeypatch.context() as later:
        later.setattr(migrations, "STEPS", (*released, ("0.7", _fail_halfway)))
        with pytest.raises(StoreError):
            open_store(url)
    store = open_store(url)
    assert len(store.append(study, told())) == 2
    with store._reading() as connection:  # type: ignore[attr-defined]
        assert "half" not in migrations.inspect(connection).get_table_names()
    store.close()


def test_a_fresh_store_takes_every_step(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, ("0.7", _add_a_table)))
    store = open_store(url)
    with store._reading() as connection:  # type: ignore[attr-defined]
        found = dict(connection.exec_driver_sql("SELECT key, value FROM meta").fetchall())
    assert found == {"schema": "3", "maquette": "0.7"}
    store.close()


def test_views_of_an_older_store_are_made_anew(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(migrations, "STEPS", migrations.STEPS[:1])
        store = open_store(url)
        store.append(store.create("a", {}).id, told())
        with store._engine.begin() as connection:  # type: ignore[attr-defined]
            for statement in migrations.VIEWS[connection.dialect.name]:
                connection.exec_driver_sql(statement.replace("lived > said", "lived < said"))
        assert _seconds(store) == 0.0
        store.close()
    store = open_store(url)
    assert _seconds(store) == 1.5
    store.close()


def _seconds(store: Store) -> float:
    with store._reading() as connection:  # type: ignore[attr-defined]
        return float(connection.exec_driver_sql("SELECT seconds FROM trials").scalar_one())
