"""PostgreSQL: for several machines on one study."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final, final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from maquette.errors import StoreError
from maquette.store.url import read_timeout

IDLE_SECONDS = 10.0
BACKEND: Final = "maquette_backend"
"""Where a pooled connection's record keeps its `Backend`."""

_WHO = "SELECT pid, backend_start::text FROM pg_stat_get_activity(pg_backend_pid())"
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid = :pid AND backend_start::text = :start"
)


@final
@dataclass(frozen=True, slots=True)
class Backend:
    """The server's process at the other end of a connection.

    `pooled`: a pooler such as pgbouncer stands between, so that it may be another one next time.
    """

    pid: int
    start: str
    pooled: bool

    def end(self, connection: Connection) -> None:
        """Wait until it is no more, so that nothing which it was sent can happen later."""
        while connection.execute(_END, {"pid": self.pid, "start": self.start}).first():
            time.sleep(0.02)


def _ask_who(line: Any, record: ConnectionPoolEntry) -> None:
    """Note which process serves a new connection; a pooler makes up a number of its own."""
    was, line.autocommit = line.autocommit, True
    line.prepare_threshold = None
    pid, start = line.execute(_WHO).fetchone()
    pooled = pid != line.info.backend_pid
    line.prepare_threshold = None if pooled else 5
    line.autocommit = was
    record.info[BACKEND] = Backend(pid, start, pooled)


def masked(url: str) -> str:
    """Return the URL without its password."""
    try:
        return make_url(url).set(password=None, query={}).render_as_string()
    except (ArgumentError, ValueError):
        return url.partition(":")[0] + "://..."


def postgres_engine(url: str, *, read_only: bool = False) -> Engine:
    """Return an engine on a PostgreSQL database.

    The URL's option ``timeout`` is how many seconds to wait for a lock, 30 unless given; all
    others go to libpq.

    Raises
    ------
    StoreError
        If the URL cannot be read, or the driver is not installed.
    """
    try:
        place = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise StoreError(
            f"cannot read the URL {masked(url)}",
            hint="postgresql://user:password@host:5432/database",
        ) from None
    wait = read_timeout(place.query.get("timeout"), masked(url))
    place = place.difference_update_query(["timeout"])
    # A driver that stops dead within a transaction, or whose connection is cut, holds up all others
    # for so long; what one does within a transaction takes milliseconds.
    # The level is what `optimistic` relies upon, whatever the server's own setting is.
    settings = (
        "-c default_transaction_isolation=read\\ committed "
        f"-c lock_timeout={wait * 1000:.0f} "
        f"-c idle_in_transaction_session_timeout={IDLE_SECONDS * 1000:.0f}"
    )
    if read_only:
        settings += " -c default_transaction_read_only=on"
    given = place.query.get("options", "")
    settings = " ".join([settings, *([given] if isinstance(given, str) else given)]).strip()
    try:
        engine = create_engine(
            place,
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,
            max_overflow=-1,
            connect_args={"connect_timeout": 10, "options": settings},
        )
    except ImportError:
        raise StoreError(
            "the PostgreSQL driver is not installed",
            hint="pip install 'maquette[postgres]'",
        ) from None
    event.listen(engine, "connect", _ask_who)
    return engine
