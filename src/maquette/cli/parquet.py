"""A table as a Parquet file, for pandas, DuckDB, polars and Spark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from maquette.errors import StudyError


def parquet_bytes(rows: Sequence[dict[str, Any]], header: Sequence[str]) -> bytes:
    """Return rows as a Parquet file; what a row lacks is null.

    A column has one type: numbers stay numbers, and where numbers and texts are mixed, as a Choice
    may do, or lists are in it, every value is its JSON text.

    Raises
    ------
    StudyError
        If pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise StudyError(
            "Parquet needs pyarrow, which is not installed",
            hint="pip install 'maquette[parquet]', or --format csv",
        ) from None
    columns = {name: _column([row.get(name) for row in rows]) for name in header}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _column(values: list[Any]) -> list[Any]:
    """Return a column's values under one type."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if kinds == {int} and any(abs(value) >= 2**63 for value in values if value is not None):
        return [None if value is None else float(value) for value in values]
    if len(kinds) > 1 or kinds & {list, dict}:
        return [None if value is None else json.dumps(value) for value in values]
    return values
