"""What verbs print: data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from maquette.errors import MaquetteError
from maquette.masking import without_secrets


def emit(document: Any, text: str, as_json: bool) -> None:
    """Print the answer to stdout: one JSON document, or text for a person."""
    if as_json:
        from maquette.number import json_ready

        print(json.dumps(json_ready(document), indent=2, allow_nan=False))
    else:
        print(text)


def note(text: str) -> None:
    """Print a line of progress or advice to stderr."""
    print(without_secrets(text), file=sys.stderr, flush=True)


def failure(error: MaquetteError) -> None:
    """Print an error to stderr: what, where, why, how to fix."""
    head, *rest = str(error).splitlines()
    note(paint(f"Error: {head}", "31"))
    for line in rest:
        note(paint(line, "2") if line.startswith("hint:") else line)
    if not error.hint:
        note(paint(f"hint: maquette explain {error.code}", "2"))


def paint(text: str, colour: str) -> str:
    """Colour a line for stderr where that is a terminal and NO_COLOR is unset."""
    return f"\033[{colour}m{text}\033[0m" if coloured() else text


def coloured() -> bool:
    """Whether stderr takes colours."""
    import os

    return (
        sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def short(value: Any, digits: int = 4) -> str:
    """Return a value as a person reads it: four digits, no trailing zeros."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return "" if value is None else str(value)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return aligned columns under a header, two spaces apart, numbers to the right."""
    cells = [list(header), *([short(v) for v in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    right = [
        all(isinstance(row[i], int | float) or row[i] is None for row in rows) and bool(rows)
        for i in range(len(header))
    ]
    return "\n".join(
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    )
