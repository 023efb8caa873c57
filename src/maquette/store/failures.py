"""What a database says when it fails, in words that say what to do."""

from __future__ import annotations

import contextlib
import sqlite3
import textwrap
from collections.abc import Iterator
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from maquette.errors import StoreError, StoreLockedError, StoreUnavailableError

_BUSY = "stayed locked by another process for longer than the time limit"
_SQLITE: dict[str, tuple[str, str]] = {
    "FULL": (
        "cannot be written: the disk is full",
        "free some space and run the same command again; nothing that was recorded is lost",
    ),
    "READONLY": (
        "cannot be written: it is read-only",
        "check the permissions of the file and its folder, or copy it elsewhere",
    ),
    "CANTOPEN": ("cannot be opened", "check that the folder exists and may be written"),
    "PERM": ("may not be opened", "check the permissions of the file and its folder"),
    "AUTH": ("may not be opened", "check the permissions of the file and its folder"),
    "NOTADB": (
        "is not an SQLite database",
        "name another file; if it was a store once, restore it from a copy",
    ),
    "CORRUPT": (
        "is damaged: parts of the file are missing or overwritten",
        "restore it from a copy, or save what can be read: sqlite3 FILE .recover",
    ),
    "IOERR": (
        "cannot be read or written: the disk reports an error",
        "is the disk full, over quota, or gone? Nothing that was recorded is lost",
    ),
}
_POSTGRESQL: dict[str, tuple[str, str]] = {
    "53100": _SQLITE["FULL"],
    "28P01": ("refused the password", "check the user and password in the URL"),
    "28000": ("refused the user", "check the user in the URL and the server's pg_hba.conf"),
    "3D000": ("has no database of that name", "create it: createdb NAME"),
    "25006": ("cannot be written: it is read-only", "name the primary server, not a replica"),
    "57014": (
        "did not finish a statement in time",
        "raise statement_timeout for this user: ALTER ROLE ... SET statement_timeout = '60s'",
    ),
    "42501": ("lacks a permission", "the user needs to create and write tables"),
}
# These may mend themselves, so a writer tries again for a while. A server that may not be written
# is the old primary, or the new one before it is promoted; a study never begins on one.
_PASSING = frozenset({"FULL", "IOERR", "53100", "57014", "25006"})
_LOCKED = ("55P03", "40P01", "40001")
# Classes of PostgreSQL's states that say something of the statement or the schema: no server that
# does not answer, and not mended by waiting.
_REFUSED = ("22", "23", "42", "0A")


@contextlib.contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn database errors into StoreError; `url` is shown, so it must hold no secret."""
    try:
        yield
    except DBAPIError as error:
        raise explain(url, error.orig) from error
    except SQLAlchemyError as error:
        raise StoreError(f"{url}: {error}") from error


def explain(url: str, error: BaseException | None) -> StoreError:
    """Return the StoreError for what the driver raised."""
    name = str(getattr(error, "sqlite_errorname", "") or "")
    state: Any = getattr(error, "sqlstate", None) or ""
    said = textwrap.shorten(str(error), 200, placeholder=" ...")
    if isinstance(error, sqlite3.OperationalError) and said.startswith("Could not decode"):
        name, said = "SQLITE_CORRUPT", "text that is no UTF-8"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or state in _LOCKED:
        return StoreLockedError(
            f"{url} {_BUSY}",
            hint="wait for the other process or end it; a longer limit: ?timeout=120 in the URL",
        )
    short = name.removeprefix("SQLITE_").partition("_")[0]
    known = _POSTGRESQL.get(state) or _SQLITE.get(short)
    if known is not None:
        kind = StoreUnavailableError if {state, short} & _PASSING else StoreError
        return kind(f"{url} {known[0]} ({said})", hint=known[1])
    if url.startswith("postgresql") and not str(state).startswith(_REFUSED):
        return StoreUnavailableError(
            f"{url} does not answer ({said})",
            hint="check that the server runs and that host, port and user are right",
        )
    return StoreError(f"{url}: {said}")
