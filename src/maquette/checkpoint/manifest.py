"""The manifest of a checkpoint: what it holds. A checkpoint is whole if all of that is there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

NAME = "maquette.json"
FORMAT = 1


@final
@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint holds: its files with their sizes in bytes, by relative path.

    `job` wrote it. `version` tells two checkpoints at the same step apart, and names the folder
    that holds the files in an object store.
    """

    job: int
    step: float
    version: str
    files: Mapping[str, int]

    def text(self) -> str:
        """Return the manifest as JSON; `read` reads it back."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def read(cls, text: str | bytes) -> Manifest | None:
        """Return what `text` wrote; None if it is none, or only half of one."""
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                return None
            files = {str(name): int(size) for name, size in data["files"].items()}
            found = cls(int(data["job"]), float(data["step"]), str(data["version"]), files)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return None if any(_leads_out(name) for name in (*files, found.version)) else found


def contents(folder: Path) -> dict[str, int]:
    """Return the files below a folder with their sizes, by relative path."""
    found: dict[str, int] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            found[path.relative_to(folder).as_posix()] = path.stat().st_size
    found.pop(NAME, None)
    return dict(sorted(found.items()))


def _leads_out(name: Any) -> bool:
    """Whether a path from a manifest, which anybody may have written, leaves its folder."""
    path = Path(name)
    return path.is_absolute() or ".." in path.parts or not path.parts
