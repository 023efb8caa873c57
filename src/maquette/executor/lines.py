"""Files of JSON lines that one process appends to while another reads them.

Every access opens the file anew: network file systems promise a reader the latest bytes only then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Append one line.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    line = json.dumps(row)
    with open(path, "ab+") as file:
        # The line of a process that was killed in the middle of writing ends here.
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = f"\n{line}"
        file.write(line.encode() + b"\n")


def parse_line(line: str | bytes) -> dict[str, Any] | None:
    """Return the object that a line holds; None for a line that was torn."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


@final
class LineReader:
    """Follows a growing file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """Return the whole lines that were written since the last call; torn ones are left out."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        end = data.rfind(b"\n") + 1
        self._offset += end
        rows = map(parse_line, data[:end].splitlines())
        return [row for row in rows if row is not None]
