"""What can be read off a store's URL."""

from __future__ import annotations

from typing import Final

from maquette.errors import StoreError

TIMEOUT: Final = 30.0
"""Seconds to wait for a lock, unless the URL says otherwise."""


def read_timeout(value: object, url: str) -> float:
    """Read the option ``timeout``; `url` is how errors call the store."""
    if value is None:
        return TIMEOUT
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e6:
        raise StoreError(f"{url}: timeout={value} is not a number of seconds")
    return seconds


def shown(text: str) -> str:
    """Return a URL or path as errors may show it: nothing that could hold a password."""
    return repr(text) if "@" not in text else repr("..." + text[text.rindex("@") :])
