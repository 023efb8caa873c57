"""Spaces as JSON and TOML.

One table per parameter: ``{ float = [1e-4, 1e-1], log = true }``, ``{ int = [2, 8] }``,
``{ choice = ["adamw", "sgd"] }``, with ``default``, ``prior`` and ``when`` beside it. In `when`,
a range is ``{ range = [4, 8] }``, since TOML and JSON have no tuples; TOML has no null either,
which is written ``{ none = true }``.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from maquette.errors import SpaceError, nearest
from maquette.space.parameter import (
    Choice,
    Condition,
    Float,
    Int,
    Parameter,
    Scalar,
    conditions,
    given_default,
)

Parameters = dict[str, Parameter]

_KINDS = ("float", "int", "choice")
_KEYS = {
    "float": ("log", "default", "prior", "when"),
    "int": ("log", "default", "prior", "when"),
    "choice": ("default", "prior", "when"),
}
_NONE = {"none": True}


def table(parameter: Parameter) -> dict[str, Any]:
    """Return a parameter as a JSON-ready table."""
    out: dict[str, Any]
    if isinstance(parameter, Choice):
        out = {"choice": list(parameter.values)}
    else:
        kind = "float" if isinstance(parameter, Float) else "int"
        out = {kind: [parameter.low, parameter.high]}
        out |= {"log": True} if parameter.log else {}
    out |= {"default": parameter.default} if given_default(parameter) else {}
    out |= {"prior": list(parameter.prior)} if parameter.prior is not None else {}
    when = {c.parent: _spec(c) for c in conditions(parameter)}
    return out | ({"when": when} if when else {})


def _spec(condition: Condition) -> Any:
    if condition.range is not None:
        return {"range": list(condition.range)}
    return condition.values[0] if len(condition.values) == 1 else list(condition.values)


def canonical(document: Mapping[str, Any]) -> str:
    """Write a JSON document so that equal documents have equal texts; order counts."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def read_tables(tables: Any, where: str) -> tuple[Parameters, list[str], list[str]]:
    """Read parameter tables; return parameters, the names that could not be read, problems."""
    if not isinstance(tables, Mapping):
        return {}, [], [f"{where or 'space'}: must be a table of parameters, not {tables!r}"]
    parameters: Parameters = {}
    problems: list[str] = []
    for name, spec in tables.items():
        wrong = _problems(spec)
        problems += [f"{where}{name}: {p}" for p in wrong]
        if not wrong:
            parameters[name] = _parameter(_nulls(spec))
    return parameters, [str(n) for n in tables if n not in parameters], problems


def _problems(spec: Any) -> list[str]:
    example = "{ float = [low, high] }, { int = [low, high] } or { choice = [...] }"
    if not isinstance(spec, Mapping):
        return [f"must be a table such as {example}, not {spec!r}"]
    kinds = [k for k in _KINDS if k in spec]
    if len(kinds) != 1:
        found = f"has both {' and '.join(kinds)}" if kinds else "says neither float, int nor choice"
        unknown = [f"unknown key {k!r}.{nearest(k, _KINDS)}" for k in spec if k not in _KEYS["int"]]
        return [f"{found}; write {example}", *(unknown if not kinds else [])]
    kind = kinds[0]
    problems = [
        f"unknown key {key!r}." + nearest(key, (kind, *_KEYS[kind]))
        for key in spec
        if key != kind and key not in _KEYS[kind]
    ]
    value = spec[kind]
    if not isinstance(value, list | tuple):
        problems.append(f"{kind} must be a list, not {value!r}")
    elif kind != "choice" and len(value) != 2:
        problems.append(f"{kind} must be [low, high], not {value!r}")
    return problems


def _parameter(spec: Mapping[str, Any]) -> Parameter:
    options = {k: v for k, v in spec.items() if k not in _KINDS}
    if "choice" in spec:
        return Choice(spec["choice"], **options)
    if "float" in spec:
        return Float(*spec["float"], **options)
    return Int(*spec["int"], **options)


def _nulls(value: Any) -> Any:
    """Read ``{ none = true }`` as None, at any depth."""
    if isinstance(value, Mapping):
        return None if value == _NONE else {k: _nulls(v) for k, v in value.items()}
    return [_nulls(v) for v in value] if isinstance(value, list | tuple) else value


def parse_toml(source: str | Mapping[str, Any]) -> tuple[Any, Any, str]:
    """Return (tables, constraints, key path) of a TOML text or document.

    The parameters stand under ``[space]``, or make up the whole document.
    """
    if isinstance(source, str):
        try:
            source = tomllib.loads(source)
        except tomllib.TOMLDecodeError as error:
            raise SpaceError(f"this is not TOML: {error}") from None
    inner = source.get("space")
    nested = "space" in source and not (isinstance(inner, Mapping) and set(inner) & set(_KINDS))
    tables = inner if nested else source
    if not isinstance(tables, Mapping):
        return tables, (), ""
    constraints = tables.get("constraints", ())
    rest = {k: v for k, v in tables.items() if k != "constraints"}
    return rest, constraints, "space." if nested else ""


def to_toml(tables: Mapping[str, Mapping[str, Any]], constraints: tuple[str, ...]) -> str:
    """Write parameter tables and constraints as the ``[space]`` table of a sweep file."""
    import tomlkit

    space = tomlkit.table()
    for name, spec in tables.items():
        space.add(tomlkit.key(name), _inline(spec))
    if constraints:
        space.add("constraints", tomlkit.item(list(constraints)))
    document = tomlkit.document()
    document.add("space", space)
    return tomlkit.dumps(document)


def _inline(value: Mapping[str, Any]) -> Any:
    import tomlkit

    out = tomlkit.inline_table()
    for key, item in value.items():
        out.add(tomlkit.key(key), _item(item))
    return out


def _item(value: Scalar | list[Any] | Mapping[str, Any]) -> Any:
    import tomlkit

    if value is None:
        return _inline(_NONE)
    if isinstance(value, Mapping):
        return _inline(value)
    if isinstance(value, list):
        array = tomlkit.array()
        for item in value:
            array.append(_item(item))
        return array
    return tomlkit.item(value)
