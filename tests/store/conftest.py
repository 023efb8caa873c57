"""Fresh stores of every kind. PostgreSQL takes part where MAQUETTE_TEST_POSTGRES names a server."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maquette.store import Store, open_store

POSTGRES = os.environ.get("MAQUETTE_TEST_POSTGRES")


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of a fresh schema on the server; it is dropped afterwards."""
    if not POSTGRES:
        pytest.skip("no PostgreSQL: set MAQUETTE_TEST_POSTGRES=postgresql://user@host/database")
    psycopg = pytest.importorskip("psycopg", reason="no PostgreSQL driver: pip install psycopg")
    schema = f"maquette_{uuid.uuid4().hex}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
        yield f"{POSTGRES}{'&' if '?' in POSTGRES else '?'}options=-csearch_path%3D{schema}"
        connection.execute(f'DROP SCHEMA "{schema}" CASCADE')


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    places: dict[str, Callable[[], str | None]] = {
        "memory": lambda: None,
        "sqlite": lambda: f"sqlite:///{tmp_path / 'store.db'}",
        "postgresql": lambda: str(request.getfixturevalue("postgres_url")),
    }
    opened = open_store(places[request.param]())
    yield opened
    opened.close()


@pytest.fixture
def database(url: str) -> Iterator[Store]:
    """An empty store on a database."""
    opened = open_store(url)
    yield opened
    opened.close()
