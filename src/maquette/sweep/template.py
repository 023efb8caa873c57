"""Command lines with places for values: ``--lr {lr}``; literal braces are ``{{`` and ``}}``.

Values are put into words that were split before, and no shell reads the result: a value may hold
spaces, quotes or semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from maquette.errors import nearest

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_BRACES = {"{{": "{", "}}": "}"}


def names(text: str) -> list[str]:
    """Return the names of the places in a text, in order."""
    return [m[1] for m in _PIECE.finditer(text) if m[1] is not None]


def problems(text: str, known: Collection[str]) -> list[str]:
    """Return what is wrong with a text's places: unknown names and single braces."""
    found = []
    for match in _PIECE.finditer(text):
        if match[1] is not None and match[1] not in known:
            found.append(
                f"unknown placeholder {match[0]} in {text!r}.{nearest(match[1], known)} "
                "Braces that are meant as such are doubled: {{ }}."
            )
        elif match[0] in ("{", "}"):
            found.append(f"single {match[0]!r} in {text!r}; write {match[0] * 2} for the sign")
    return found


def fill(text: str, values: Mapping[str, str]) -> str | None:
    """Return a text with its places filled; None if one of them has no value."""
    if any(name not in values for name in names(text)):
        return None
    return "".join(
        values[m[1]] if m[1] is not None else _BRACES.get(m[0], m[0]) for m in _PIECE.finditer(text)
    )


def fill_words(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return a command's words with their places filled.

    A word whose place has no value (a parameter that is inactive in this config) is left out, and
    with it the flag that stands before it.
    """
    out: list[str] = []
    flag = False
    for word in words:
        filled = fill(word, values)
        if filled is not None:
            out.append(filled)
            flag = word.startswith("-") and "=" not in word and not names(word)
            continue
        if flag:
            out.pop()
        flag = False
    return out


def fill_all(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return named texts with their places filled, without those that have no value."""
    filled = {name: fill(text, values) for name, text in texts.items()}
    return {name: text for name, text in filled.items() if text is not None}


def used(texts: Iterable[str]) -> set[str]:
    """Return the names of all places in several texts."""
    return {name for text in texts for name in names(text)}


def written(value: Any, *, whole: bool = False) -> str:
    """Return a value as a program reads it.

    Floats are written with all their digits, truth as ``true`` and ``false``, None as ``none``.

    Parameters
    ----------
    whole
        Write a float without a fraction as a whole number: a width is 256, not 256.0.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if whole and isinstance(value, float) and value.is_integer():
        return str(int(value))
    return repr(value) if isinstance(value, float) else str(value)
