"""Names of studies: what is allowed, and what is said when there is none of that name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from maquette.errors import StoreError, nearest

_LONGEST = 200


def checked_name(name: str) -> str:
    """Return a study's name as given.

    Raises
    ------
    StoreError
        If it is empty, longer than 200 characters, or holds control characters.
    """
    if not isinstance(name, str) or not name.strip():
        raise StoreError(f"a study needs a name, not {name!r}")
    if len(name) > _LONGEST:
        raise StoreError(f"a study's name has at most {_LONGEST} characters, this one {len(name)}")
    bad = sorted({c for c in name if unicodedata.category(c) in ("Cc", "Cs")})
    if bad:
        shown = ", ".join(map(ascii, bad))
        raise StoreError(f"the study's name {name!r} holds control characters: {shown}")
    return name


def no_such_study(name: str, names: Iterable[str], url: str) -> StoreError:
    """Return the error that names the nearest study."""
    names = list(names)
    if not names:
        return StoreError(f"there is no study {name!r} in {url}: it holds no study yet")
    return StoreError(f"there is no study {name!r} in {url}." + nearest(name, names))
