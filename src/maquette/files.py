"""Files that appear whole or not at all, and where those are kept that can be had again."""

from __future__ import annotations

import os
from pathlib import Path

from maquette.errors import nearest


def cache_folder() -> Path:
    """Return the folder for what can be had again, as XDG_CACHE_HOME says; it need not be there."""
    named = os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "maquette"


def absent(path: Path, *endings: str) -> str:
    """Return the sentence for a file that is not there, with the nearest name beside its place."""
    folder = path.parent
    here = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    kept = [name for name in here if not endings or name.lower().endswith(endings)]
    return f"{path}: no such file.{nearest(path.name, kept)}"


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, then move it there: no reader sees half of it.

    A link stays a link. What is no file, a pipe or a device, is written to, never replaced.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there stays as it was.
    """
    place = path.resolve()
    data = content.encode("utf-8") if isinstance(content, str) else content
    if place.exists() and not place.is_file():
        place.write_bytes(data)
        return
    draft = place.with_name(f".{place.name}.draft")
    try:
        draft.write_bytes(data)
        os.replace(draft, place)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
