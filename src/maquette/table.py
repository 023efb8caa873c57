"""Reading a table of runs from a CSV file, and saying everything that is wrong with it at once."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maquette.errors import DataError, nearest

# What spreadsheets and trackers write where there is no number.
_MISSING = frozenset({"", "nan", "none", "null", "na", "n/a", "-"})
_INFINITE = {"inf": float("inf"), "infinity": float("inf"), "-inf": float("-inf")}
# More mistakes than this are one mistake made many times.
_SHOWN = 10


def read_runs(
    path: str | os.PathLike[str], columns: Sequence[str] | None = None
) -> dict[str, list[Any]]:
    """Read a CSV file with a header line into columns.

    A column whose every filled cell is a number becomes floats, with NaN where a cell is empty or
    says nan; any other column stays text, with None where a cell is empty.

    Parameters
    ----------
    path
        The file; comma, semicolon or tab separated, UTF-8.
    columns
        The columns to read; None: all of them.

    Returns
    -------
    dict
        Column name to a list with one value a row.

    Raises
    ------
    DataError
        If the file cannot be read, has no rows, has a header with an empty or repeated name,
        lacks a column, or has lines of another length than the header; every problem is named.
    """
    path = Path(path)
    header, rows = _split(path)
    wanted = list(header) if columns is None else list(columns)
    problems = [
        f"{path}: column {name!r} stands {header.count(name)} times in the header"
        for name in dict.fromkeys(wanted)
        if header.count(name) > 1
    ]
    problems += [
        f"{path}: there is no column {name!r}." + nearest(name, header)
        for name in wanted
        if name not in header
    ]
    ragged = [
        f"{path} line {line}: {len(row)} cells, the header has {len(header)}"
        for line, row in rows
        if len(row) != len(header)
    ]
    problems += _first(ragged)
    if problems:
        raise DataError(problems)
    if not rows:
        raise DataError(f"{path} has a header and no rows")
    found = {name: header.index(name) for name in wanted}
    return {name: _column(path, name, [(n, r[i]) for n, r in rows]) for name, i in found.items()}


def _split(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header and the rows with their line numbers, blank lines left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", hint=_similar(path)) from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a CSV file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if "\x00" in text:
        raise DataError(f"{path} is not a text file")
    first = re.sub('"[^"]*"', "", text.lstrip().partition("\n")[0])
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num}: {error}") from None
    if not lines:
        raise DataError(f"{path} is empty", hint="the first line names the columns")
    header = lines[0][1]
    if not all(header):
        raise DataError(f"{path} line 1: column {header.index('') + 1} has no name")
    return header, lines[1:]


def _column(path: Path, name: str, cells: list[tuple[int, str]]) -> list[Any]:
    """Return a column as floats, or as text where it holds words.

    A column of numbers with a few words in it is most likely a slip, and is refused.
    """
    values = [_number(cell) for _, cell in cells]
    filled = [(line, cell) for line, cell in cells if cell.lower() not in _MISSING]
    words = [(line, cell) for line, cell in filled if _number(cell) is None]
    if not words:
        return [float("nan") if v is None else v for v in values]
    if len(words) <= 0.2 * len(filled):
        raise DataError(
            _first([f"{path} line {n}: {name} is {cell!r}, not a number" for n, cell in words])
        )
    return [None if cell.lower() in _MISSING else cell for _, cell in cells]


def _number(cell: str) -> float | None:
    text = cell.lower()
    if text in _INFINITE:
        return _INFINITE[text]
    try:
        # float() takes "1_000", which in a table is a slip rather than a number.
        return None if "_" in text or text in _MISSING else float(text)
    except ValueError:
        return None


def _first(problems: list[str]) -> list[str]:
    more = len(problems) - _SHOWN
    return problems[:_SHOWN] + ([f"and {more} more lines like these"] if more > 0 else [])


def _similar(path: Path) -> str | None:
    try:
        names = [p.name for p in path.parent.iterdir() if p.suffix == path.suffix]
    except OSError:
        return f"there is no folder {path.parent} either"
    return nearest(path.name, names).strip() or None
