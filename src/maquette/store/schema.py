"""The tables, as SQLAlchemy Core sees them. What creates and documents them is `migrations`."""

from __future__ import annotations

from typing import Any, final

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Integer, MetaData, Table, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("spec", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("n_events", BigInteger, nullable=False),
    Column("n_trials", BigInteger, nullable=False),
    Column("n_jobs", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("study", Integer, ForeignKey("studies.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("time", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("trial", BigInteger),
    Column("job", BigInteger),
    Column("body", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("study", Integer, ForeignKey("studies.id"), primary_key=True),
    Column("job", BigInteger, primary_key=True),
    Column("trial", BigInteger, nullable=False),
    Column("owner", Text),
    Column("token", BigInteger, nullable=False),
    Column("expires", Double),
)


@final
class Clock(FunctionElement[float]):
    """The database's clock: seconds since the epoch."""

    type = Double()
    inherit_cache = True


@compiles(Clock, "sqlite")
def _sqlite_clock(element: Clock, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(Clock, "postgresql")
def _postgresql_clock(element: Clock, compiler: Any, **options: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::float8"  # now() stands still in a transaction
