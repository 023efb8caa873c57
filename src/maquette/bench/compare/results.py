"""Results on disk: one small file a cell, or all of them in one compressed file."""

from __future__ import annotations

import json
import lzma
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from maquette.bench.compare.cell import Cell
from maquette.errors import BenchmarkError
from maquette.files import write_whole
from maquette.number import json_ready

PACKED = "results.jsonl.xz"
_CELLS = "cells"

Key = tuple[str, str, int]  # task, optimizer, seed


def key(cell: Cell) -> Key:
    """Return under what a cell's result is found."""
    return cell.task, cell.optimizer.name, cell.seed


def path(folder: Path, cell: Cell) -> Path:
    """Return where a cell's result stands."""
    task = cell.task.replace("/", "__")
    return folder / _CELLS / task / cell.optimizer.name.replace("/", "__") / f"{cell.seed}.json"


def write(folder: Path, cell: Cell, result: Mapping[str, Any]) -> None:
    """Write a cell's result, whole or not at all."""
    place = path(folder, cell)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, _line(result))


def read(folder: Path) -> list[dict[str, Any]]:
    """Return all results of a folder, sorted by task, optimizer and seed.

    Raises
    ------
    BenchmarkError
        If there are none, or a file is damaged; it is named.
    """
    found = _by_key(folder)
    if not found:
        raise BenchmarkError(f"{folder} holds no results yet")
    return [found[k] for k in sorted(found)]


def states(folder: Path) -> dict[Key, str]:
    """Return how each cell that has a result ended.

    Raises
    ------
    BenchmarkError
        If a file is damaged; it is named.
    """
    return {k: str(r["state"]) for k, r in _by_key(folder).items()}


def _by_key(folder: Path) -> dict[Key, dict[str, Any]]:
    return {(r["task"], r["optimizer"], r["seed"]): r for r in _all(folder)}


def pack(folder: Path) -> Path:
    """Write all results into one compressed file; equal results give equal bytes."""
    return _write_packed(folder, read(folder))


def drop(folder: Path, optimizers: Collection[str]) -> int:
    """Forget all results of some optimizers, packed ones too; return how many these were.

    Raises
    ------
    BenchmarkError
        If a file is damaged; then nothing is forgotten.
    """
    found = _by_key(folder)
    gone = [k for k in found if k[1] in optimizers]
    if gone and (folder / PACKED).exists():
        _write_packed(folder, [found[k] for k in sorted(found) if k[1] not in optimizers])
    for name in optimizers:
        for place in (folder / _CELLS).glob(f"*/{name.replace('/', '__')}/*.json"):
            place.unlink()
    return len(gone)


def _all(folder: Path) -> Iterator[dict[str, Any]]:
    packed = folder / PACKED
    if packed.exists():
        try:
            lines = lzma.decompress(packed.read_bytes()).decode().splitlines()
            yield from (json.loads(line) for line in lines)
        except (lzma.LZMAError, EOFError, ValueError) as error:
            raise BenchmarkError(f"{packed} is damaged: {error}") from None
    for place in sorted((folder / _CELLS).rglob("*.json")):
        try:
            yield json.loads(place.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BenchmarkError(
                f"{place} is damaged: {error}", hint="remove it; the same command runs it again"
            ) from None


def _write_packed(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write results into one compressed file, whole or not at all; return where it is."""
    place, text = folder / PACKED, "".join(_line(row) for row in rows)
    write_whole(place, lzma.compress(text.encode(), preset=9))
    return place


def _line(result: Mapping[str, Any]) -> str:
    return json.dumps(json_ready(result), separators=(",", ":"), ensure_ascii=False) + "\n"
