"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text file beside its place, then move it there: no reader sees half of it.

    A link stays a link. What is no file, a pipe or a device, is written to, never replaced.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there stays as it was.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        place.write_text(text, encoding="utf-8")
        return
    draft = place.with_name(f".{place.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, place)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
