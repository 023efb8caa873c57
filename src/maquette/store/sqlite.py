"""SQLite: one file, WAL, write transactions that begin with the lock."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast
from urllib.parse import quote

from sqlalchemy import Engine, QueuePool, create_engine, event
from sqlalchemy.engine import Connection

from maquette.errors import StoreError, nearest
from maquette.store.failures import explain
from maquette.store.netfs import filesystem, refuse_network
from maquette.store.url import TIMEOUT, read_timeout

_SYNCHRONOUS = ("NORMAL", "FULL", "EXTRA")
_OPTIONS = ("synchronous", "timeout")
# SQLite's own waiting backs off: whoever has waited long asks seldom, and a busy writer starves it.
# Here one asks the oftener the longer one has waited, so that nobody is overtaken for long.
FIRST_PAUSE = 1e-3
LAST_PAUSE = 1e-4
EAGER_AFTER = 0.02


def sqlite_engine(
    path: Path,
    url: str,
    options: Mapping[str, str],
    *,
    read_only: bool = False,
    filesystem: Callable[[Path], str] = filesystem,
) -> Engine:
    """Return an engine on an SQLite file.

    Parameters
    ----------
    path
        The file; it is created if it is missing, and an empty one is taken for a new store.
    url
        What errors call it.
    options
        ``synchronous``: NORMAL (the default: safe when a process dies) or FULL (also when the
        power does). ``timeout``: seconds to wait for a lock, 30 unless given.
    read_only
        Open an existing file for reading alone.
    filesystem
        Tells the type of the file system of a path.

    Raises
    ------
    StoreError
        If an option is wrong, or the file cannot be opened.
    """
    synchronous, timeout = _read_options(options, url)
    _check_path(path, url, read_only)
    refuse_network(path, url, filesystem)
    mode = "ro" if read_only else "rwc"
    address = f"file:{quote(str(path))}?mode={mode}"
    if read_only and not (os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists()):
        address += "&immutable=1"  # WAL wants to write beside the file, even to read it

    def connect() -> sqlite3.Connection:
        connection = _open(address, timeout)
        try:
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA foreign_keys=ON")
        except BaseException:
            connection.close()
            raise
        return connection

    try:
        _prepare(connect(), timeout, read_only)
    except sqlite3.Error as error:
        raise explain(url, error) from error
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, max_overflow=-1)

    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("maquette_read"):
            raw = connection.connection.driver_connection
            _begin(cast("sqlite3.Connection", raw), url, timeout)

    event.listen(engine, "begin", begin)
    return engine


def _open(address: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        address, timeout=timeout, isolation_level=None, check_same_thread=False, uri=True
    )


def _begin(connection: sqlite3.Connection, url: str, timeout: float) -> None:
    """Take the file's write lock; StoreLockedError if it is not free within `timeout` seconds.

    A transaction that reads first and writes later can fail halfway; this one waits at its start.
    """
    began = time.monotonic()
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - began
                if not _is_busy(error) or waited > timeout:
                    raise explain(url, error) from error
            pause = max(LAST_PAUSE, FIRST_PAUSE * (1 - waited / EAGER_AFTER))
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
    finally:
        connection.execute(f"PRAGMA busy_timeout={timeout * 1000:.0f}")


def _is_busy(error: sqlite3.Error) -> bool:
    return str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY")


def _prepare(connection: sqlite3.Connection, timeout: float, read_only: bool) -> None:
    """Read the header and switch to WAL, which does not wait for locks by itself."""
    deadline = time.monotonic() + timeout
    try:
        while True:
            try:
                connection.execute("PRAGMA schema_version")
                if not read_only:
                    connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
    finally:
        connection.close()


def _read_options(options: Mapping[str, str], url: str) -> tuple[str, float]:
    problems = [
        f"{url}: unknown option {name!r}." + nearest(name, _OPTIONS)
        for name in options
        if name not in _OPTIONS
    ]
    synchronous = options.get("synchronous", "NORMAL").upper()
    if synchronous not in _SYNCHRONOUS:
        problems.append(f"{url}: synchronous={synchronous} is not one of {', '.join(_SYNCHRONOUS)}")
    timeout = TIMEOUT
    try:
        timeout = read_timeout(options.get("timeout"), url)
    except StoreError as error:
        problems += error.problems
    if problems:
        raise StoreError(problems)
    return synchronous, timeout


def _check_path(path: Path, url: str, read_only: bool) -> None:
    """Raise for what SQLite itself would only call "unable to open database file"."""
    folder = path.parent
    if path.is_dir():
        raise StoreError(f"{url} is a folder", hint=f"name a file in it: {path / 'maquette.db'}")
    if not folder.is_dir():
        raise StoreError(f"{url}: the folder {folder} does not exist", hint=f"mkdir -p {folder}")
    if not path.exists():
        if read_only:
            near = [str(p) for p in folder.glob("*.db")]
            raise StoreError(f"{url}: there is no such file." + nearest(str(path), near))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(f"{url}: the folder {folder} may not be written")
        return
    if not path.is_file():
        raise StoreError(f"{url} is not a regular file")
    if not os.access(path, os.R_OK):
        raise StoreError(f"{url} may not be read", hint=f"check its permissions: ls -l {path}")
    if not read_only and not (os.access(path, os.W_OK) and os.access(folder, os.W_OK)):
        raise StoreError(
            f"{url} cannot be written: the file or its folder is read-only",
            hint="to look at it, open it read-only; to go on, copy it to a folder of your own",
        )
