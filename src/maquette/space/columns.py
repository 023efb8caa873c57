"""Configs to columns of coded values, and back."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maquette.errors import SpaceError
from maquette.space.codec import Array, Codec
from maquette.space.parameter import Choice, Config, Int, Parameter, Scalar

_NAN = float("nan")


def gather(given: Sequence[Mapping[str, Any]], parameters: Mapping[str, Parameter]) -> Array:
    """Return the coded values of n configs, (n, d); NaN for what is missing or fits no type."""
    out = np.empty((len(given), len(parameters)))
    for j, (name, p) in enumerate(parameters.items()):
        if isinstance(p, Choice):
            # The flag keeps True and 1 apart, which are one key to a dict.
            index = {(isinstance(v, bool), v): float(i) for i, v in enumerate(p.values)}
            held = [c.get(name, index) for c in given]
            column = [
                index.get((isinstance(v, bool | np.bool_), v), _NAN) for v in map(_hashable, held)
            ]
        else:
            column = [c.get(name, _NAN) for c in given]
        out[:, j] = _numbers(column)
    return out


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return object()
    return value


def _numbers(column: list[Any]) -> Any:
    try:
        return array("d", column)  # unlike numpy, refuses the text "3"
    except (TypeError, OverflowError):
        return [_number(v) for v in column]


def _number(value: Any) -> float:
    try:
        return float(array("d", [value])[0])
    except (TypeError, OverflowError):
        return _NAN


def scalars(column: Sequence[float], parameter: Parameter) -> list[Scalar]:
    """Return the values that a column of codes stands for."""
    if isinstance(parameter, Choice):
        return [parameter.values[int(x)] for x in column]
    return [int(x) for x in column] if isinstance(parameter, Int) else list(column)


def configs(values: Array, codec: Codec) -> list[Config]:
    """Return the configs of coded values (n, d): the active parameters, in order."""
    active = codec.active(values)
    columns = [
        scalars(column, p) for column, p in zip(values.T.tolist(), codec.parameters, strict=True)
    ]
    rows = zip(*columns, strict=True)
    if active.all():
        return [dict(zip(codec.names, row, strict=True)) for row in rows]
    return [
        {name: value for name, value, on in zip(codec.names, row, mask, strict=True) if on}
        for row, mask in zip(rows, active.tolist(), strict=True)
    ]


def points(unit: NDArray[Any], width: int) -> Array:
    """Return rows (n, width) as floats; SpaceError for another shape, or NaN."""
    rows = np.asarray(unit, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != width:
        raise SpaceError(f"rows must have shape (n, {width}), not {rows.shape}")
    if np.isnan(rows).any():
        raise SpaceError("rows hold NaN")
    return rows
