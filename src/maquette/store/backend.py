"""Connections to PostgreSQL: who is at the other end, and what is agreed with it.

Behind a pooler such as pgbouncer a connection keeps no state from one transaction to the next, and
another process of the server may serve each. There every transaction says for itself what otherwise
a session says once, and no statement is prepared.
"""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from typing import Any, Final, final

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import InvalidatePoolError

BACKEND: Final = "maquette_backend"
"""Where a pooled connection's record keeps its `Backend`."""

# A driver that stops dead within a transaction, or whose connection is cut, holds up all others for
# so long; what one does within a transaction takes milliseconds.
IDLE_SECONDS: Final = 10.0

# A peer that has vanished without a word is given up within a minute, by either side.
KEEPALIVE: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

# How often psycopg executes a statement before the server is to prepare it: its own default.
_PREPARE = 5
_WHO = "SELECT pid, backend_start::text FROM pg_stat_get_activity(pg_backend_pid())"
_AGREE = (
    "SELECT set_config('lock_timeout', %s, true),"
    " set_config('idle_in_transaction_session_timeout', %s, true)"
)
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid = :pid AND backend_start::text = :start"
)


@final
@dataclass(frozen=True, slots=True)
class Backend:
    """The server's process at the other end of a connection.

    `pooled`: a pooler stands between, so that it may be another one next time.
    """

    pid: int
    start: str
    pooled: bool

    def end(self, connection: Connection) -> None:
        """Wait until it is no more, so that nothing which it was sent can happen later."""
        while connection.execute(_END, {"pid": self.pid, "start": self.start}).first():
            time.sleep(0.02)


@final
@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed with the server.

    Attributes
    ----------
    wait
        Seconds to wait for a lock.
    read_only
        Whether nothing may be written.
    given
        Command line options for the server that the user gave.
    """

    wait: float
    read_only: bool
    given: str = ""

    def options(self) -> str:
        """Return the command line options for a session of its own."""
        rows = {
            "lock_timeout": f"{self.wait * 1000:.0f}",
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS * 1000:.0f}",
            # What `optimistic` relies upon, whatever the server's own setting is.
            "default_transaction_isolation": "read\\ committed",
            **({"default_transaction_read_only": "on"} if self.read_only else {}),
            **{f"tcp_{name}": str(value) for name, value in KEEPALIVE.items()},
        }
        return " ".join([*(f"-c {name}={value}" for name, value in rows.items()), self.given])

    def listen(self, engine: Engine) -> None:
        """Hold an engine's connections to these terms."""
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "connect", _ask_who)
        event.listen(engine, "checkout", _look_alive)
        event.listen(engine, "begin", self._begin)

    def _connect(self, dialect: Any, record: Any, arguments: Any, named: dict[str, Any]) -> Any:
        """Connect; a pooler that takes no options is given none but the user's."""
        try:
            return dialect.connect(*arguments, **named, options=self.options())
        except dialect.dbapi.OperationalError as error:
            if "unsupported startup parameter" not in str(error):
                raise
        return dialect.connect(*arguments, **named, options=self.given)

    def _begin(self, connection: Connection) -> None:
        """Agree on a transaction where nothing can be agreed on for a session."""
        reading = connection.get_execution_options().get("maquette_read")
        if reading or not connection.connection.info[BACKEND].pooled:
            return
        line: Any = connection.connection.driver_connection
        line.execute(_AGREE, (f"{self.wait * 1000:.0f}", f"{IDLE_SECONDS * 1000:.0f}"))
        if self.read_only:
            line.execute("SET TRANSACTION READ ONLY")


def _ask_who(line: Any, record: Any) -> None:
    """Note which process serves a new connection; a pooler makes up a number of its own."""
    was, line.autocommit = line.autocommit, True
    line.prepare_threshold = None
    pid, start = line.execute(_WHO).fetchone()
    pooled = pid != line.info.backend_pid
    line.prepare_threshold = None if pooled else _PREPARE
    line.autocommit = was
    record.info[BACKEND] = Backend(pid, start, pooled)


def _look_alive(line: Any, record: Any, lent: Any) -> None:
    """Refuse a connection whose server has ended it, without asking the server each time.

    It then has something to say, its farewell or the end of the stream.
    """
    poll = select.poll()
    poll.register(line.fileno(), select.POLLIN)
    if not poll.poll(0):
        return
    try:
        line.execute("SELECT 1", prepare=False)
    except Exception:  # whatever the driver makes of it
        raise InvalidatePoolError from None
