"""A config on the command line: ``lr=0.1,optimizer=adamw``, or a JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from maquette.errors import nearest

if TYPE_CHECKING:
    from maquette.space import Space


def settings(text: str, space: Space, option: str) -> dict[str, Any]:
    """Read a config, each value as its parameter holds it.

    Parameters
    ----------
    text
        Pairs separated by commas, or a JSON object.
    space
        The study's; it says whether ``8`` is a number or one of several words.
    option
        The option's name, for the message.

    Raises
    ------
    typer.BadParameter
        Naming every part that is wrong.
    """
    if text.lstrip().startswith("{"):
        return _from_json(text, option)
    found: dict[str, Any] = {}
    problems = []
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals):
            problems.append(f"{part.strip()!r} is not NAME=VALUE")
        elif name not in space:
            problems.append(f"unknown parameter {name!r}." + nearest(name, list(space)))
        elif name in found:
            problems.append(f"{name!r} is given twice")
        else:
            found[name] = _value(value, name, space, problems)
    if problems:
        raise typer.BadParameter("; ".join(problems), param_hint=option)
    return found


def _value(text: str, name: str, space: Space, problems: list[str]) -> Any:
    from maquette.space import Choice, Int

    parameter = space[name]
    if isinstance(parameter, Choice):
        words = {_word(value): value for value in parameter.values}
        if text not in words:
            problems.append(f"{name} is none of its values: {text!r}." + nearest(text, words))
        return words.get(text)
    try:
        return int(text) if isinstance(parameter, Int) else float(text)
    except ValueError:
        kind = "whole number" if isinstance(parameter, Int) else "number"
        problems.append(f"{name}={text}: {text!r} is not a {kind}")
        return None


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _from_json(text: str, option: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"not a JSON object: {error}", param_hint=option) from None
    if not isinstance(found, dict):
        raise typer.BadParameter("not a JSON object", param_hint=option)
    return found
