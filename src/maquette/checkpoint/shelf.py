"""A trial's shelf: the place of its checkpoints, one a step."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from maquette.checkpoint.manifest import Manifest
from maquette.ranks import from_first, rank, together


@runtime_checkable
class Shelf(Protocol):
    """Holds the checkpoints of one trial; whatever happens, a reader finds only whole ones."""

    @property
    def drafts(self) -> Path | None:
        """Where a draft must lie to be kept at once; None: anywhere."""

    def keep(self, job: int, step: float, draft: Path) -> None:
        """Make a folder the checkpoint at a step, in the place of one that is there already."""

    def steps(self) -> list[float]:
        """Return the steps that have an entry, ascending; whether it is whole, `find` says."""

    def find(self, step: float) -> Manifest | None:
        """Return what the checkpoint at a step holds; None if there is none that is whole."""

    def remove(self, step: float) -> None:
        """Remove a checkpoint; one that is not there is no error."""


def open_shelf(place: str | Path) -> Shelf:
    """Return the shelf at a path, or at a URL that fsspec knows.

    Raises
    ------
    CheckpointError
        If fsspec is not installed, or does not know the URL.
    """
    text = str(place)
    if "://" not in text or text.startswith("file://"):
        from maquette.checkpoint.local import LocalShelf

        return LocalShelf(Path(text.removeprefix("file://")))
    from maquette.checkpoint.remote import RemoteShelf

    return RemoteShelf(text)


def fetched(place: str) -> Path:
    """Return the local folder of a checkpoint; a remote one is copied into the cache first.

    Raises
    ------
    CheckpointError
        If a remote one is not there, not whole, or cannot be read.
    """
    if "://" not in place or place.startswith("file://"):
        return Path(place.removeprefix("file://"))
    from maquette.checkpoint.remote import fetch

    return fetch(place)


@contextlib.contextmanager
def written(
    shelf: Shelf, job: int, step: float, *, near: Path | None, dropped: bool = False
) -> Iterator[Path]:
    """Give a folder to write a checkpoint into; it is kept on a clean exit, else removed.

    Where torch.distributed is in use all ranks get the same folder, and the first one keeps it.

    Parameters
    ----------
    near
        Where to write it first, if the shelf does not mind; None: in a temporary folder.
    dropped
        Remove it whatever happens.
    """
    root = shelf.drafts or near
    if root is not None:
        root.mkdir(parents=True, exist_ok=True)
    draft = Path(from_first(lambda: tempfile.mkdtemp(prefix=".draft-", dir=root)))
    try:
        yield draft
        together()
        if rank() == 0 and not dropped:
            shelf.keep(job, step, draft)
        together()
    finally:
        shutil.rmtree(draft, ignore_errors=True)
