"""Stores that cannot be opened, read or written: each says what, where and what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maquette.errors import (
    StoreError,
    StoreLockedError,
    StoreUnavailableError,
    StoreVersionError,
)
from maquette.store import open_store
from maquette.store.failures import explain
from maquette.store.netfs import refuse_network, type_in
from maquette.store.sqlite import sqlite_engine
from maquette.testing.store_steps import told

from . import programs
from .programs import start, wait


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one study and two events, closed."""
    file = tmp_path / "store.db"
    store = open_store(file)
    store.append(store.create("a", {}).id, told())
    store.close()
    return file


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that users without privileges may enter."""
    folder = Path(tempfile.mkdtemp(prefix="maquette-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def _refused(url: str | Path, *words: str, read_only: bool = False) -> StoreError:
    with pytest.raises(StoreError) as error:
        open_store(url, read_only=read_only)
    for word in words:
        assert word in str(error.value)
    return error.value


def _execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlte:///x.db", ("unknown kind of store 'sqlte'", "Did you mean 'sqlite'")),
        ("postgresqll://u@h/d", ("Did you mean 'postgresql'",)),
        ("mysql://u:hunter2@h/d", ("unknown kind of store 'mysql'", "Valid: sqlite, postgresql")),
        ("study", ("'study' names no store", "sqlite:///maquette.db")),
        ("u:hunter2@host/db", ("'...@host/db' names no store",)),
        ("", ("names no store",)),
        ("sqlite://", ("names no file",)),
        ("sqlite:///:memory:", ("names no file", "None: in memory")),
        ("sqlite://x.db", ("names no file", "sqlite:///maquette.db")),
        ("sqlite:////nowhere/at/all/x.db", ("/nowhere/at/all does not exist", "mkdir -p")),
        ("sqlite:////proc/x/y.db", ("does not exist",)),
        ("sqlite:////dev/full", ("not a regular file",)),
        (
            "sqlite:///x.db?synchronus=FULL",
            ("unknown option 'synchronus'", "Did you mean 'synchronous'"),
        ),
        ("sqlite:///x.db?synchronous=OFF&timeout=soon", ("2 problems", "NORMAL, FULL", "timeout=")),
        ("postgresql://u:hunter2@h:port/d", ("cannot read the URL postgresql://...",)),
        ("postgresql://u:hunter2@127.0.0.1:1/d", ("postgresql",)),
        ("postgresql://u@127.0.0.1:1/d?password=hunter2", ("postgresql",)),
    ],
)
def test_urls(url: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: object) -> None:
    error = _refused(url, *words)
    assert "hunter2" not in str(error)
    assert not Path("x.db").exists()


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    _refused(f"sqlite:///{tmp_path}", "is a folder", str(tmp_path / "maquette.db"))


def test_a_bare_path_and_options(path: Path) -> None:
    for url in (path, str(path), f"sqlite:///{path}?synchronous=FULL&timeout=5"):
        store = open_store(url)
        assert store.url == f"sqlite:///{path}"
        assert len(store.read(store.find("a").id)) == 2
        store.close()


@pytest.mark.parametrize(("option", "level"), [("", 1), ("?synchronous=FULL", 2)])
def test_synchronous(path: Path, option: str, level: int) -> None:
    store = open_store(f"sqlite:///{path}{option}")
    with store._reading() as connection:  # type: ignore[attr-defined]
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == level
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    store.close()


def test_paths_are_data(tmp_path: Path) -> None:
    for name in ("a b.db", "per%20cent.db", "ha#sh.db", "größe.db"):
        store = open_store(tmp_path / name)
        store.append(store.create("a", {}).id, told())
        store.close()
        assert (tmp_path / name).stat().st_size > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ("a b.db", "per%20cent.db", "ha#sh.db", "größe.db")
    )


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    file = tmp_path / "empty.db"
    file.touch()
    _refused(file, "holds no studies yet", read_only=True)
    store = open_store(file)
    assert store.studies() == []
    store.close()


@pytest.mark.parametrize("content", [b"{}", b"x" * 5000, b"\x00" * 4096, b"SQLite format 3\x00"])
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.db"
    file.write_bytes(content)
    for read_only in (False, True):
        _refused(file, "is not an SQLite database", "hint:", read_only=read_only)
    assert file.read_bytes() == content, "somebody's file was changed"


@pytest.mark.parametrize("keep", [50, 500, 4096, 5000, 8192])
def test_a_truncated_store(path: Path, keep: int) -> None:
    content = path.read_bytes()
    assert len(content) > keep
    path.write_bytes(content[:keep])
    for read_only in (False, True):
        _refused(path, "damaged", "restore it from a copy", read_only=read_only)


def test_a_store_overwritten_in_the_middle(path: Path) -> None:
    store = open_store(path)
    study = store.find("a").id
    for _ in range(40):
        store.append(study, told(text="x" * 3000))
    store.close()
    content = bytearray(path.read_bytes())
    content[-4096 * 10 :] = b"\xff" * 4096 * 10
    path.write_bytes(content)
    store = open_store(path)
    with pytest.raises(StoreError, match="damaged"):
        store.read(study)
    store.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [("body", "{oops"), ("body", '{"metrics":{"$":"zero"}}'), ("body", '{"no":1}'), ("kind", "x")],
)
def test_an_event_that_cannot_be_read(path: Path, column: str, value: str) -> None:
    _execute(path, f"UPDATE events SET {column} = '{value}' WHERE number = 2")
    store = open_store(path)
    with pytest.raises(StoreError):
        [event.body for event in store.read(store.find("a").id)]
    store.close()


def test_another_programs_database(tmp_path: Path) -> None:
    file = tmp_path / "optuna.db"
    _execute(file, "CREATE TABLE studies (study_id INTEGER)", "CREATE TABLE trials (x INTEGER)")
    _refused(file, "is not a Maquette store", "studies, trials")
    _execute(file, "CREATE TABLE meta (key TEXT, value TEXT)")
    _refused(file, "is not a Maquette store")


def test_a_store_from_a_newer_version(path: Path) -> None:
    _execute(
        path,
        "UPDATE meta SET value = '99' WHERE key = 'schema'",
        "UPDATE meta SET value = '7.3' WHERE key = 'maquette'",
    )
    for read_only in (False, True):
        error = _refused(path, "newer Maquette", "'maquette>=7.3'", read_only=read_only)
        assert isinstance(error, StoreVersionError)


def test_looking_needs_a_store(tmp_path: Path, path: Path) -> None:
    _refused(tmp_path / "stores.db", "no such file", "Did you mean", str(path), read_only=True)
    assert not (tmp_path / "stores.db").exists()
    store = open_store(path, read_only=True)
    study = store.find("a").id
    assert len(store.read(study)) == 2
    for act in (lambda: store.append(study, told()), lambda: store.create("b", {})):
        with pytest.raises(StoreError, match="read-only"):
            act()
    store.close()


def test_a_viewer_sees_what_is_being_written(path: Path) -> None:
    writer, viewer = open_store(path), open_store(path, read_only=True)
    study = viewer.find("a").id
    for i in range(3):
        assert len(viewer.read(study)) == 2 + 2 * i
        writer.append(study, told())
    writer.close()
    viewer.close()


def test_unreadable_and_read_only_files(public_folder: Path) -> None:
    file = public_folder / "store.db"
    store = open_store(file)
    store.append(store.create("a", {}).id, told())
    store.close()

    def said(read_only: bool) -> str:
        _, pipe = start(programs.open_as_user, str(file), read_only)
        return str(wait(pipe))

    file.chmod(0o444)
    public_folder.chmod(0o555)
    assert "read-only" in said(read_only=False)
    assert said(read_only=True) == "1 studies"
    file.chmod(0o000)
    assert "may not be read" in said(read_only=False)
    assert "may not be read" in said(read_only=True)
    file.unlink() if os.getuid() == 0 else None
    if os.getuid() == 0:
        assert "may not be written" in said(read_only=False)


def test_a_store_locked_for_good(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode=DELETE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreLockedError, match="locked by another process"):
        open_store(f"sqlite:///{path}?timeout=0.1")
    other.execute("ROLLBACK")
    other.close()
    open_store(path).close()


def test_a_full_disk_loses_nothing_and_is_recovered_from(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    _, pipe = start(programs.fill_the_disk, str(file), file)
    message = wait(pipe)
    assert "disk" in message
    assert "full" in message
    done, kept = wait(pipe)
    assert done == kept > 2
    assert wait(pipe) == kept + 2


def test_a_full_database_says_so(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "small.db")
    connection.execute("PRAGMA max_page_count = 3")
    connection.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError) as error:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()
    assert "the disk is full" in str(explain("sqlite:///small.db", error.value))


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
tmpfs /home/me/local\\040disk tmpfs rw 0 0
//nas/x /mnt/nas cifs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/tmp/x.db", "ext4"),
        ("/home/me/x.db", "nfs4"),
        ("/homestead/x.db", "ext4"),
        ("/home/me/local disk/x.db", "tmpfs"),
        ("/mnt/nas/deep/er/x.db", "cifs"),
    ],
)
def test_mounts(place: str, kind: str) -> None:
    assert type_in(MOUNTS, Path(place)) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "lustre", "fuse.sshfs", "ceph"])
def test_network_file_systems_are_refused(path: Path, kind: str) -> None:
    with pytest.raises(StoreError, match=kind) as error:
        sqlite_engine(path, f"sqlite:///{path}", {}, filesystem=lambda _: kind)
    assert "postgresql://" in str(error.value)
    assert "local disk" in str(error.value)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "apfs", "zfs", ""])
def test_local_file_systems_are_not(path: Path, kind: str) -> None:
    refuse_network(path, "sqlite:///x.db", lambda _: kind)


def test_a_postgresql_that_is_locked(postgres_url: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    store = open_store(f"{postgres_url}&timeout=0.2")
    study = store.create("a", {}).id
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT * FROM studies FOR UPDATE")
        with pytest.raises(StoreLockedError, match="locked by another process"):
            store.append(study, told())
    assert len(store.append(study, told())) == 2
    store.close()


def cut_connections(url: str, name: str) -> int:
    """Cut the connections of an application, and wait until they are gone; return how many."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as other:
        mine = "FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"
        cut = other.execute(f"SELECT pg_terminate_backend(pid) {mine}", [name]).rowcount
        while other.execute(f"SELECT 1 {mine}", [name]).rowcount:
            time.sleep(0.01)
    return cut


def test_a_postgresql_connection_that_is_cut(postgres_url: str) -> None:
    store = open_store(f"{postgres_url}&application_name=idle-{os.getpid()}")
    study = store.create("a", {}).id
    assert cut_connections(postgres_url, f"idle-{os.getpid()}") > 0
    assert len(store.append(study, told())) == 2
    store.close()


def test_a_postgresql_connection_that_is_cut_within_a_transaction(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it was in when the line was cut, so it is done again, once."""
    from maquette.store import sql

    store = open_store(f"{postgres_url}&application_name=midst-{os.getpid()}")
    study, write, cuts = store.create("a", {}).id, sql.write_leases, []

    def cutting(*args: Any) -> None:
        if not cuts:
            cuts.append(cut_connections(postgres_url, f"midst-{os.getpid()}"))
        write(*args)

    monkeypatch.setattr(sql, "write_leases", cutting)
    assert [event.number for event in store.append(study, told())] == [1, 2]
    assert cuts == [1]
    assert len(store.read(study)) == 2
    store.close()


def test_a_postgresql_that_ends_while_nothing_is_asked(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool finds its connection dead, and no other to be had."""
    psycopg = pytest.importorskip("psycopg")
    store = open_store(f"{postgres_url}&application_name=gone-{os.getpid()}")
    study = store.create("a", {}).id
    cut_connections(postgres_url, f"gone-{os.getpid()}")

    def refused(*args: Any, **named: Any) -> None:
        raise psycopg.OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg, "connect", refused)
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            store.read(study)
    assert len(store.append(study, told())) == 2
    store.close()


def test_a_postgresql_viewer(postgres_url: str) -> None:
    _refused(postgres_url, "holds no studies yet", read_only=True)
    store = open_store(postgres_url)
    study = store.create("a", {}).id
    viewer = open_store(postgres_url, read_only=True)
    assert [row.name for row in viewer.studies()] == ["a"]
    with pytest.raises(StoreError, match="read-only"):
        viewer.append(study, told())
    viewer.close()
    store.close()
