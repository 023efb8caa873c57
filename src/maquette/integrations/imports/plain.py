"""Plain files: JSON, and the little YAML that experiment trackers write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maquette.errors import DataError
from maquette.files import absent
from maquette.integrations.imports.runs import value_of
from maquette.space.parameter import Scalar


def read_text(path: Path) -> str:
    """Return a text file; DataError if it cannot be read."""
    if not path.exists():
        raise DataError(absent(path, path.suffix.lower()))
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text: {error}") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file, or one of JSON lines, holds; DataError names line and column."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and all(line.lstrip().startswith("{") for line in lines):
            return [_line(path, number, line) for number, line in enumerate(lines, 1)]
        raise DataError(
            f"{path}: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {number}, column {error.colno}: {error.msg}") from error


def flat_yaml(text: str) -> dict[str, Scalar]:
    """Return the scalars of a YAML mapping: ``name: value`` at the left margin.

    In what Weights & Biases writes, each name has a mapping below it whose ``value`` counts. Lists
    and deeper mappings are passed over.
    """
    found: dict[str, Scalar] = {}
    outer = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith(("#", "-")):
            continue
        name, colon, rest = line.partition(":")
        bare = _unquoted(name.strip())
        if not colon:
            continue
        if not line.startswith(" "):
            outer = bare if not rest.strip() else ""
            if rest.strip():
                found[bare] = _scalar(rest.strip())
        elif outer and bare == "value" and rest.strip() and _depth(line) <= 4:
            found[outer] = _scalar(rest.strip())
    return found


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _scalar(text: str) -> Scalar:
    return _unquoted(text) if text[0] in "'\"" else value_of(text)


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        inner = text[1:-1]
        return inner.replace("''", "'") if text[0] == "'" else inner.replace('\\"', '"')
    return text
