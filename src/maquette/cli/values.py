"""Options that hold several values: ``lr,bs`` and ``N=1e9,D=2e10``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import typer

from maquette.errors import nearest


def names(text: str, option: str) -> list[str]:
    """Read ``lr,bs``; a usage error if a name is empty or given twice."""
    found = [part.strip() for part in text.split(",")]
    problems = ["a name is empty"] if not all(found) else []
    problems += [f"{n!r} is given twice" for n in dict.fromkeys(found) if n and found.count(n) > 1]
    _refuse(problems, option)
    return found


def numbers(text: str, option: str, valid: Sequence[str] = ()) -> dict[str, float]:
    """Read ``N=1e9,D=2e10``; a usage error that names every part which is not a pair.

    Parameters
    ----------
    text
        Pairs separated by commas; values are positive numbers.
    option
        The option's name, for the message.
    valid
        The names that may occur; empty: any.
    """
    found: dict[str, float] = {}
    problems = []
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        number = _number(value)
        if not (name and equals):
            problems.append(f"{part.strip()!r} is not NAME=NUMBER")
        elif number is None:
            problems.append(f"{name}={value}: {value!r} is not a positive number")
        elif name in found:
            problems.append(f"{name!r} is given twice")
        elif valid and name not in valid:
            problems.append(f"unknown name {name!r}." + nearest(name, valid))
        else:
            found[name] = number
    _refuse(problems, option)
    return found


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not (math.isfinite(number) and number > 0):
        return None
    return int(number) if number.is_integer() and "e" not in text.lower() else number


def _refuse(problems: Sequence[str], option: str) -> None:
    if problems:
        raise typer.BadParameter("; ".join(problems), param_hint=option)
