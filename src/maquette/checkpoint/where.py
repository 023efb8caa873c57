"""Where a study keeps its checkpoints, and how many."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import final

from maquette.errors import CheckpointError
from maquette.number import is_count


@final
@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Where trials keep their checkpoints, and how many of them.

    Parameters
    ----------
    url
        A place that fsspec can write to, such as ``"s3://bucket/runs"``; each study has a folder
        of its own in it. None: in the trials' own folders.
    keep
        How many a trial keeps, the newest; those that a job that has not ended starts from stay
        beside them. None: all.

    Raises
    ------
    CheckpointError
        If `url` is no text, or `keep` no positive whole number.
    """

    url: str | None = None
    keep: int | None = 2

    def __post_init__(self) -> None:
        problems = []
        url: object = self.url
        if url is not None and (not isinstance(url, str) or not url.strip()):
            problems.append(f"checkpoints are kept at a URL or a path, not {self.url!r}")
        if self.keep is not None and not is_count(self.keep):
            problems.append(f"keep must be a positive whole number or None, not {self.keep!r}")
        if problems:
            raise CheckpointError(problems, hint='for example checkpoints="s3://bucket/runs"')

    @classmethod
    def parse(cls, given: Checkpoints | str | os.PathLike[str] | None) -> Checkpoints:
        """Read what a user gives; None: as MAQUETTE_CHECKPOINTS says, else in trials' folders."""
        if isinstance(given, Checkpoints):
            return given
        if given is None:
            return cls(os.environ.get("MAQUETTE_CHECKPOINTS") or None)
        return cls(os.fspath(given) if isinstance(given, os.PathLike) else given)
