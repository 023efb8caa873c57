"""Checkpoints in a folder: ``checkpoints/81`` appears by one rename."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from pathlib import Path
from typing import final

from maquette.checkpoint.manifest import NAME, Manifest, contents
from maquette.trial import checkpoint_name


@final
class LocalShelf:
    """The checkpoints of one trial in a folder, each a folder named like its step.

    A checkpoint is written beside its place, with its manifest, and renamed. One that is there
    already is renamed away first: what has a step's name is whole at every moment. A power cut may
    cost a file its end, which its size in the manifest tells.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def drafts(self) -> Path | None:
        """The folder itself: a rename does not leave a file system."""
        return self._folder

    def keep(self, job: int, step: float, draft: Path) -> None:
        """Rename a draft to its step's name."""
        version = uuid.uuid4().hex
        (draft / NAME).write_text(Manifest(job, step, version, contents(draft)).text())
        place = self._folder / checkpoint_name(step)
        old = self._folder / f".old-{version}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(place, old)
        os.rename(draft, place)
        shutil.rmtree(old, ignore_errors=True)

    def steps(self) -> list[float]:
        """Return the steps that have a folder, ascending."""
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        return numbers(names)

    def find(self, step: float) -> Manifest | None:
        """Return the manifest at a step, if all that it names is there."""
        place = self._folder / checkpoint_name(step)
        try:
            found = Manifest.read((place / NAME).read_bytes())
            if found is None or contents(place) != dict(found.files):
                return None
        except OSError:
            return None
        return found

    def remove(self, step: float) -> None:
        """Rename a checkpoint away, then remove it: no reader sees half of it."""
        old = self._folder / f".old-{uuid.uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._folder / checkpoint_name(step), old)
            shutil.rmtree(old, ignore_errors=True)


def numbers(names: list[str]) -> list[float]:
    """Return the steps among names, ascending."""
    found = []
    for name in names:
        with contextlib.suppress(ValueError):
            step = float(name)
            if checkpoint_name(step) == name:
                found.append(step)
    return sorted(found)
