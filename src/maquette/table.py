"""Read a table of runs from a CSV or Parquet file, and say what is wrong with it."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maquette.errors import DataError, nearest
from maquette.files import absent

MISSING = frozenset({"", "-", "na", "n/a", "nan", "none", "null", "-nan"})
_SHOWN = 5  # lines named for one column before "and n more"


def read_runs(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    numbers: Sequence[str] = (),
    positive: Sequence[str] = (),
) -> dict[str, list[Any]]:
    """Read a CSV file with a header, or a Parquet file, into columns.

    A column whose cells are all numbers (``inf`` is one) or missing (empty, ``-``, ``nan``,
    ``none``, ``null``, ``na``) becomes floats, with NaN for what is missing; any other column stays
    text.

    Parameters
    ----------
    path
        The file: ``.parquet``, else UTF-8, a header line, commas, semicolons or tabs between cells.
        A first column without a name that counts the rows, as pandas writes it, is passed over.
    columns
        Columns that must be there; None takes all.
    numbers
        Columns that must be numbers.
    positive
        Columns that must be positive numbers in every row, as those taken in log are.

    Returns
    -------
    dict
        Column name to values, in the order of ``columns`` or of the file.

    Raises
    ------
    DataError
        With every problem found and its lines: a file that is missing, empty or unreadable, names
        that the header lacks or repeats, ragged rows, cells that are not numbers or not positive.
    """
    header, rows = _cells(Path(path))
    wanted = list(dict.fromkeys([*(header if columns is None else columns), *numbers, *positive]))
    problems = [
        f"{path}: no column {name!r}.{nearest(name, header)}"
        for name in wanted
        if name not in header
    ]
    for name in [w for w in wanted if header.count(w) > 1]:
        problems.append(f"{path}: line 1: the header names {name!r} {header.count(name)} times")
    ragged = [(line, len(cells)) for line, cells in rows if len(cells) != len(header)]
    if ragged:
        shown = _first([f"line {line} has {n}" for line, n in ragged])
        problems.append(f"{path}: {len(header)} columns in the header, but {shown}")
    if not rows:
        problems.append(f"{path}: a header and no rows")
    out: dict[str, list[Any]] = {}
    for name in wanted:
        if name not in header:
            continue
        at = header.index(name)
        pairs = [(line, cells[at].strip()) for line, cells in rows if at < len(cells)]
        strict = name in numbers or name in positive
        out[name] = _column(f"{path}: column {name!r}", pairs, strict, name in positive, problems)
    if problems:
        raise DataError(problems, hint="every problem is listed; mend them in the file")
    return out


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    if not path.exists():
        raise DataError(absent(path, ".csv", ".tsv", ".parquet"))
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a CSV file")
    if path.suffix.lower() == ".parquet":
        return _parquet_cells(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text: {error}") from error
    if not text.strip():
        raise DataError(f"{path} is empty", hint="give a CSV with a header and one row a run")
    if "\0" in text:
        raise DataError(f"{path} is not a text file: it holds NUL characters")
    first = re.sub('"[^"]*"', "", text.lstrip().splitlines()[0])
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows = []
    try:
        for cells in reader:
            if any(c.strip() for c in cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from error
    header = [h.strip() for h in rows[0][1]]
    if not header[0] and [cells[0] for _, cells in rows[1:]] == list(
        map(str, range(len(rows) - 1))
    ):
        rows = [(line, cells[1:]) for line, cells in rows]
        header = header[1:]
    if "" in header:
        raise DataError(f"{path}: line 1: column {header.index('') + 1} has no name")
    return header, rows[1:]


def _parquet_cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the cells of a Parquet file as texts, so that one reading serves both."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(
            f"{path}: Parquet needs pyarrow, which is not installed",
            hint="pip install 'maquette[parquet]', or give a CSV file",
        ) from None
    try:
        columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no Parquet file: {error}") from error
    texts = [["" if cell is None else str(cell) for cell in column] for column in columns.values()]
    return list(columns), [(i, list(cells)) for i, cells in enumerate(zip(*texts, strict=True), 1)]


def _column(
    what: str, pairs: list[tuple[int, str]], strict: bool, positive: bool, problems: list[str]
) -> list[Any]:
    values, wrong, low = [], [], []
    for line, cell in pairs:
        try:
            values.append(math.nan if cell.lower() in MISSING else _number(cell))
        except ValueError:
            wrong.append((line, cell))
            continue
        if positive and not 0 < values[-1] < math.inf:
            low.append((line, cell))
    if wrong and not strict and not _mostly_numbers(len(wrong), pairs):
        return [cell for _, cell in pairs]
    for bad, why in ((wrong, "not a number"), (low, "not a positive number")):
        if bad:
            shown = _first([f"line {line} ({cell!r})" for line, cell in bad])
            problems.append(f"{what}: {why} at {shown}")
    return values


def _number(cell: str) -> float:
    if "_" in cell:  # Python reads 1_000; in a table it is a slip
        raise ValueError(cell)
    return float(cell)


def _first(parts: list[str]) -> str:
    """Join the first few, and say how many more there are."""
    rest = f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return ", ".join(parts[:_SHOWN]) + rest


def _mostly_numbers(wrong: int, pairs: list[tuple[int, str]]) -> bool:
    """A few words in a column of numbers are mistakes, not the names of a choice."""
    return wrong <= 0.1 * len(pairs)
