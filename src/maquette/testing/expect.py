"""What every check holds its subject to; `assert` would be gone under ``python -O``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from maquette.errors import MaquetteError


def expect(holds: bool, what: str) -> None:
    """Raise AssertionError unless it holds."""
    if not holds:
        raise AssertionError(what)


@contextlib.contextmanager
def refused(error: type[MaquetteError], what: str) -> Iterator[None]:
    """Hold that the block raises this error."""
    try:
        yield
    except error:
        return
    raise AssertionError(f"not refused: {what}")
