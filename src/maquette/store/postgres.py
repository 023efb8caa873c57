"""PostgreSQL: for several machines on one study."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from maquette.errors import StoreError
from maquette.store.backend import KEEPALIVE, Terms
from maquette.store.url import read_timeout

# Of libpq, unless the URL says otherwise.
_PATIENCE = {"connect_timeout": 10, "tcp_user_timeout": 60_000, **KEEPALIVE}


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
    given = place.query.get("options", "")
    terms = Terms(wait, read_only, given if isinstance(given, str) else " ".join(given))
    place = place.difference_update_query(["timeout", "options"])
    patience = {name: value for name, value in _PATIENCE.items() if name not in place.query}
    try:
        engine = create_engine(
            place, isolation_level="AUTOCOMMIT", max_overflow=-1, connect_args=patience
        )
    except ImportError:
        raise StoreError(
            "the PostgreSQL driver is not installed",
            hint="pip install 'maquette[postgres]'",
        ) from None
    terms.listen(engine)
    return engine
