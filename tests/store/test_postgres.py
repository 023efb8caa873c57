"""What stands between a study and a PostgreSQL: names, settings, poolers, other drivers."""

from __future__ import annotations

import logging
import secrets
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

from maquette.errors import StoreError, StoreLockedError, StoreUnavailableError
from maquette.events import Ended, Reported
from maquette.store import LeaseLostError, Store, open_store
from maquette.testing.store_steps import numbers, propose, running, told
from maquette.trial import State
from tests.services import needs

from .conftest import POSTGRES
from .proxy import proxied

pytestmark = needs("postgres")
PASSWORD = "h\u00fcnter2 %/@:?"


@dataclass(frozen=True)
class Place:
    """A database of its own, and a user who owns it."""

    url: str
    user: str

    def settle(self, setting: str) -> None:
        """Set what holds for every session of this user."""
        _admin(f'ALTER ROLE "{self.user}" SET {setting}')

    def unsettle(self) -> None:
        _admin(f'ALTER ROLE "{self.user}" RESET ALL')


def _admin(*statements: str) -> None:
    import psycopg

    with psycopg.connect(POSTGRES or "", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A user and a database whose names need care in a URL and in SQL."""
    psycopg = pytest.importorskip("psycopg")
    mark = secrets.token_hex(4)
    user, name = f"o'dd \u00fcser@%{mark}", f"my/db #{mark}"
    try:
        _admin(f"CREATE ROLE \"{user}\" LOGIN PASSWORD '{PASSWORD}'")
    except psycopg.errors.InsufficientPrivilege:
        pytest.skip("the PostgreSQL user of MAQUETTE_TEST_POSTGRES may create no users")
    _admin(f'CREATE DATABASE "{name}" OWNER "{user}"')
    split = urlsplit(POSTGRES or "")
    host = split.netloc.rpartition("@")[2]
    who = f"{quote(user, safe='')}:{quote(PASSWORD, safe='')}"
    yield Place(urlunsplit((split.scheme, f"{who}@{host}", quote(name, safe=""), "", "")), user)
    _admin(f'DROP DATABASE "{name}" WITH (FORCE)', f'DROP ROLE "{user}"')


@pytest.fixture
def settled(place: Place) -> Iterator[Place]:
    yield place
    place.unsettle()


def _use(store: Store, name: str) -> int:
    """Do all that a driver does, once; return the study."""
    study = store.create(name, {}).id
    trial, job, token = running(store, study, "me")
    store.record(study, {job: token}, [Reported(trial, job, 1.0, {"loss": 1.0})])
    store.renew(study, {job: token}, 60.0)
    store.record(study, {job: token}, [Ended(trial, job, State.DONE, {"loss": 1.0})])
    store.append(study, told())
    assert numbers(store.read(study)) == [1, 2, 3, 4, 5, 6]
    return study


def test_names_that_need_care_and_a_password_that_nobody_sees(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = open_store(place.url)
    _use(store, "names")
    seen = [store.url, repr(store), repr(vars(store)), caplog.text]
    with pytest.raises(StoreError) as error:
        store.find("nobody")
    seen.append("".join(traceback.format_exception(error.value)))
    store.close()
    wrong = place.url.replace("my%2Fdb", "no%2Fdb")
    with pytest.raises(StoreError) as error:
        open_store(wrong)
    seen.append("".join(traceback.format_exception(error.value)))
    for text in seen:
        assert PASSWORD not in text
        assert quote(PASSWORD, safe="") not in text


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_the_servers_isolation_level_changes_nothing(settled: Place, level: str) -> None:
    settled.settle(f"default_transaction_isolation = '{level}'")
    stores = [open_store(settled.url) for _ in range(2)]
    study = stores[0].create(level, {}).id
    jobs = [running(stores[i % 2], study, "me") for i in range(6)]

    def report(i: int) -> None:
        trial, job, token = jobs[i]
        for step in range(3):
            body = Reported(trial, job, float(step), {"loss": 1.0})
            stores[i % 2].record(study, {job: token}, [body])

    threads = [threading.Thread(target=report, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(stores[0].read(study)) == list(range(1, 12 + 18 + 1))
    for store in stores:
        store.close()


def test_a_statement_that_the_server_cuts_off_is_said_and_may_be_repeated(settled: Place) -> None:
    import psycopg

    settled.settle("statement_timeout = '200ms'")
    store = open_store(settled.url)
    study = store.create("slow", {}).id
    trial, job, token = running(store, study, "me")
    body = Reported(trial, job, 1.0, {"loss": 1.0})
    with psycopg.connect(settled.url) as other:
        other.execute("SELECT * FROM studies FOR UPDATE")
        with pytest.raises(StoreUnavailableError, match="statement_timeout"):
            store.record(study, {job: token}, [body])
    assert numbers(store.record(study, {job: token}, [body])) == [3]
    store.close()


def test_a_server_that_may_not_be_written_is_refused_at_once(settled: Place) -> None:
    open_store(settled.url).close()
    settled.settle("default_transaction_read_only = on")
    with pytest.raises(StoreError, match="replica") as error:
        open_store(settled.url)
    assert not isinstance(error.value, StoreUnavailableError)
    viewer = open_store(settled.url, read_only=True)
    assert isinstance(viewer.studies(), list)
    viewer.close()


def test_a_server_that_may_not_be_written_for_a_while_is_waited_for(settled: Place) -> None:
    store = open_store(settled.url)
    settled.settle("default_transaction_read_only = on")
    store.close()  # its next connection finds the old primary
    with pytest.raises(StoreUnavailableError, match="read-only"):
        store.create("failover", {})
    settled.unsettle()
    store.close()
    assert _use(store, "failover")
    store.close()


def test_a_failover_that_lost_events_does_not_go_unseen(place: Place) -> None:
    import psycopg

    store = open_store(place.url)
    study = _use(store, "behind")
    with psycopg.connect(place.url) as other:
        other.execute("DELETE FROM events WHERE study = %s AND number > 4", (study,))
        other.execute("UPDATE studies SET n_events = 4 WHERE id = %s", (study,))
    with pytest.raises(StoreError, match="6 had been seen, and number 5 was given again"):
        store.append(study, told())
    store.close()
    fresh = open_store(place.url)
    assert numbers(fresh.append(study, told())) == [7, 8]
    fresh.close()


def test_a_users_options_and_several_hosts_reach_libpq(place: Place) -> None:
    split = urlsplit(place.url)
    host, _, port = split.netloc.rpartition("@")[2].partition(":")
    bare = split._replace(netloc=split.netloc.rpartition("@")[0] + "@")
    query = f"host={host}:1&host={host}:{port or 5432}&target_session_attrs=read-write"
    more = "&connect_timeout=3&application_name=sweep&options=-cwork_mem%3D5MB"
    store = open_store(urlunsplit(bare._replace(query=query + more)))
    _use(store, "hosts")
    with store._reading() as connection:  # type: ignore[attr-defined]
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("application_name", "work_mem", "idle_in_transaction_session_timeout")
        ]
        line = connection.connection.driver_connection
        assert line.info.get_parameters()["connect_timeout"] == "3"
        assert line.info.get_parameters()["keepalives_idle"] == "30"
    assert shown == ["sweep", "5MB", "10s"]
    store.close()
    with pytest.raises(StoreError, match="SSL"):
        open_store(urlunsplit(split._replace(query="sslmode=require")))


def test_behind_a_pooler_nothing_is_left_to_the_session(place: Place) -> None:
    import psycopg

    with proxied(place.url, pooler=True) as proxy:
        store = open_store(f"{proxy.url}?timeout=0.2")
        for i in range(8):  # what is executed often would be prepared
            study = _use(store, f"pooled {i}")
        with store._reading() as connection:  # type: ignore[attr-defined]
            prepared = "SELECT count(*) FROM pg_prepared_statements"
            assert connection.exec_driver_sql(prepared).scalar() == 0
        with psycopg.connect(place.url) as other:
            other.execute("SELECT * FROM studies FOR UPDATE")
            with pytest.raises(StoreLockedError):
                store.append(study, told())
        viewer = open_store(proxy.url, read_only=True)
        with pytest.raises(StoreError, match="read-only"):
            viewer.append(study, told())
        for opened in (viewer, store):
            opened.close()


def test_what_changes_between_a_look_and_a_turn_is_seen_under_the_lock(place: Place) -> None:
    """Another driver takes a job over while its former one waits to write of it."""
    import psycopg

    mine, theirs = open_store(place.url), open_store(place.url)
    study = mine.create("fenced", {}).id
    trial, job, token = running(mine, study, "me", ttl=None)
    body = Reported(trial, job, 1.0, {"loss": 1.0})
    said: list[object] = []

    def report() -> None:
        try:
            said.append(mine.record(study, {job: token}, [body]))
        except LeaseLostError as error:
            said.append(error.jobs)

    with psycopg.connect(place.url) as holder:
        holder.execute("SELECT * FROM studies FOR UPDATE")
        waiting = threading.Thread(target=report)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        # What a transaction that came first would leave: the job is another's.
        holder.execute("UPDATE leases SET token = token + 1, owner = 'you' WHERE job = %s", (job,))
    waiting.join()
    assert said == [(job,)]
    assert [e.kind for e in theirs.read(study)] == ["proposed", "started"]
    assert propose(theirs, study, 2)
    for store in (mine, theirs):
        store.close()
