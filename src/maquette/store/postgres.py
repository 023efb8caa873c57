"""PostgreSQL: for several machines on one study."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from maquette.errors import StoreError
from maquette.store.url import read_timeout

IDLE_SECONDS = 10.0


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
    settings = (
        f"-c lock_timeout={wait * 1000:.0f} "
        f"-c idle_in_transaction_session_timeout={IDLE_SECONDS * 1000:.0f}"
    )
    if read_only:
        settings += " -c default_transaction_read_only=on"
    given = place.query.get("options", "")
    settings = " ".join([settings, *([given] if isinstance(given, str) else given)]).strip()
    try:
        return create_engine(
            place,
            pool_pre_ping=True,
            max_overflow=-1,
            connect_args={"connect_timeout": 10, "options": settings},
        )
    except ImportError:
        raise StoreError(
            "the PostgreSQL driver is not installed",
            hint="pip install 'maquette[postgres]'",
        ) from None
