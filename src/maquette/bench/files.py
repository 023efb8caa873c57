"""Benchmark data: where they lie, and whether they are what they should be."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maquette.errors import BenchmarkError
from maquette.files import cache_folder

VARIABLE = "MAQUETTE_DATA"
_FETCH = "maquette bench fetch"


def folder() -> Path:
    """Return the folder of benchmark data: MAQUETTE_DATA, else ``maquette/data`` in the cache.

    It need not be there.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return cache_folder() / "data"


def path(name: str, fetch: str) -> Path:
    """Return a file below the data folder, once its contents have been checked.

    Parameters
    ----------
    name
        ``"regmix/train_mixture_1m.csv"``; one of the manifest.
    fetch
        What `maquette bench fetch` calls the data.

    Raises
    ------
    BenchmarkError
        If the folder or the file is missing, or the file is truncated or was changed.
    """
    here = folder()
    file = here / name
    if not here.is_dir():
        raise BenchmarkError(
            f"there is no folder of benchmark data: {here}",
            hint=f"{_FETCH} {fetch} downloads what is needed; {VARIABLE} names another folder",
        )
    if not file.is_file():
        raise BenchmarkError(
            f"{name} is missing in the data folder {here}", hint=f"{_FETCH} {fetch} downloads it"
        )
    verify(file, name, fetch)
    return file


def verify(file: Path, name: str, fetch: str) -> None:
    """Compare a file with the manifest.

    Raises
    ------
    BenchmarkError
        If it cannot be read, is truncated, or holds something else.
    """
    wanted = manifest()[name]
    stat = file.stat()
    found = _digest(file, stat.st_size, stat.st_mtime_ns)
    if found != wanted["sha256"]:
        short = stat.st_size < wanted["bytes"]
        what = (
            f"is truncated: {stat.st_size:,} of {wanted['bytes']:,} bytes"
            if short
            else "does not hold what the manifest says: it was changed, or is another version"
        )
        raise BenchmarkError(
            [f"{name} {what}", f"its checksum is {found[:16]}..., not {wanted['sha256'][:16]}..."],
            hint=f"remove {file}, then: {_FETCH} {fetch}",
        )


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """Return what each file must hold: its size in bytes and its checksum."""
    text = resources.files("maquette.bench").joinpath("manifest.json").read_text(encoding="utf-8")
    read: dict[str, dict[str, Any]] = json.loads(text)
    return read


@cache
def _digest(file: Path, size: int, changed: int) -> str:
    del size, changed  # another size or time is another file
    return digest(file)


def digest(file: Path) -> str:
    """Return the SHA-256 of a file's bytes; of an npz or parquet file, of what it holds.

    The same arrays make other bytes where another version of a library packs them.

    Raises
    ------
    BenchmarkError
        If it is a parquet file and pyarrow is not installed.
    """
    reader = {".npz": _arrays, ".parquet": _parquet}.get(file.suffix)
    if reader is not None:
        try:
            return _contents_digest(reader(file))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError):
            pass  # a broken file has a checksum too: one that fits nothing
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _contents_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        if array.dtype == object:
            total.update("\0".join(map(str, array.ravel().tolist())).encode())
        else:
            total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _arrays(file: Path) -> dict[str, NDArray[Any]]:
    # Opened here: numpy leaves a broken archive open.
    with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def columns(name: str, fetch: str) -> dict[str, NDArray[Any]]:
    """Return the columns of a CSV or parquet file of the data folder; errors as `path`.

    Columns of numbers are arrays of numbers, others of objects.
    """
    return read_columns(path(name, fetch))


def read_columns(file: Path) -> dict[str, NDArray[Any]]:
    """Return the columns of any CSV or parquet file, as `columns` does, unchecked.

    Raises
    ------
    BenchmarkError
        If it is missing, truncated, or no table.
    """
    try:
        if file.suffix == ".parquet":
            return _parquet(file)
        with open(file, encoding="utf-8", newline="") as stream:
            head, *rows = csv.reader(stream)
        columns = zip(head, zip(*rows, strict=True), strict=True)
        return {name: _typed(column) for name, column in columns}
    except FileNotFoundError as error:
        raise BenchmarkError(f"{file} is missing", hint="download it first") from error
    except (OSError, ValueError) as error:
        raise BenchmarkError(
            f"{file} is no table that can be read: {error}",
            hint="it may be truncated; download it again",
        ) from error


def _parquet(file: Path) -> dict[str, NDArray[Any]]:
    table = package("pyarrow.parquet", "bench").read_table(file)
    return {
        name: np.asarray(column.to_numpy())
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def _typed(column: Sequence[str]) -> NDArray[Any]:
    try:
        return np.array(column, dtype=np.float64)
    except ValueError:
        return np.array(column, dtype=object)


def package(name: str, extra: str) -> Any:
    """Return a module that an extra of Maquette brings.

    Raises
    ------
    BenchmarkError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        root = name.partition(".")[0]
        raise BenchmarkError(
            f"this task needs {root}, which cannot be imported: {error}",
            hint=f"pip install 'maquette[{extra}]'",
        ) from error


def arrays(name: str, fetch: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file of the data folder; errors as `path`."""
    return _arrays(path(name, fetch))
