"""Configs as rows of numbers: columns of coded values, and their place in the unit cube.

A *coded* value is the number itself, or the index of a choice. A *coordinate* lies in [0, 1]:

- Float: (x - low) / (high - low), in logs if ``log``; a constant sits at 1/2;
- Int: the integer v owns the cell [v - 1/2, v + 1/2] of the (log) scale, and sits at v in it:
  in linear scale at (k + 1/2) / n for the k-th of n;
- Choice: index i of m sits at (i + 1/2) / m.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.space.declare import order
from maquette.space.parameter import (
    Choice,
    Condition,
    Float,
    Int,
    Parameter,
    Scalar,
    conditions,
    is_real,
    position,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Proposed floats have this many significant digits: they survive print, CSV and JSON, and
# decoding the encoding of a proposed config returns it bit for bit.
DIGITS = 13
_ROUND = f".{DIGITS - 1}e"


def significant(x: float) -> float:
    """Round to as many significant digits as proposed floats have."""
    return float(format(x, _ROUND))


@final
@dataclass(frozen=True, slots=True)
class Gate:
    """A condition on coded values: column `parent` among the values, or else in [low, high]."""

    parent: int
    values: tuple[float, ...]
    low: float
    high: float

    def holds(self, column: Array | float) -> Mask:
        """Evaluate on coded values of the parent, of any shape."""
        if not self.values:
            return np.asarray((column >= self.low) & (column <= self.high))
        held = np.asarray(column == self.values[0])
        for value in self.values[1:]:
            held |= column == value
        return held


@final
@dataclass(frozen=True, slots=True)
class Codec:
    """The arrays, all of shape (d,), that carry coded values to coordinates and back."""

    names: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    is_float: Mask
    is_int: Mask
    is_choice: Mask
    floats: NDArray[np.intp]  # indices of the Float dimensions
    log: NDArray[np.intp]  # indices of the log dimensions
    low: Array
    high: Array
    a: Array  # ends of the unit interval in the (log) scale
    b: Array
    decimals: tuple[tuple[int, int], ...]  # (dimension, places) of ranges with negative numbers
    span: Array  # b - a, and 1 for a constant
    order: tuple[int, ...]  # parents before children
    gates: tuple[tuple[Gate, ...], ...]  # per dimension

    def to_unit(self, values: Array) -> Array:
        """Map coded values to coordinates, both (n, d)."""
        t = values + 0.5 * self.is_choice
        if self.log.size:
            t[:, self.log] = np.log(values[:, self.log])
        unit = np.minimum(np.maximum((t - self.a) / self.span, 0.0), 1.0)
        return np.asarray(np.where(self.b > self.a, unit, 0.5))

    def to_values(self, unit: Array) -> Array:
        """Map coordinates to coded values, both (n, d); coordinates are clipped to [0, 1]."""
        t = self.a + unit * self.span
        if self.log.size:
            t[:, self.log] = np.exp(t[:, self.log])
        values = np.where(self.is_float, t, np.floor(t + 0.5 * self.is_int))
        # The ends are met exactly, which a + 1 (b - a) in floating point does not promise.
        values = np.where(unit >= 1.0, self.high, np.where(unit <= 0.0, self.low, values))
        return np.minimum(np.maximum(values, self.low), self.high)

    def rounded(self, values: Array) -> Array:
        """Round the floats of coded values (n, d) as `significant` does; bounds stay exact."""
        raw = values
        values = raw.copy()
        for j, places in self.decimals:
            values[:, j] = [round(x, places) for x in values[:, j].tolist()]
        chosen = values[:, self.floats]
        exact = [significant(x) for x in chosen.ravel().tolist()]
        # Adding zero turns -0.0 into 0.0, which would print and hash differently.
        values[:, self.floats] = np.reshape(exact, chosen.shape) + 0.0
        values = np.minimum(np.maximum(values, self.low), self.high)
        return np.asarray(np.where((raw == self.low) | (raw == self.high), raw, values))

    def active(self, values: Array) -> Mask:
        """Return which parameters exist in coded values (n, d); the mask has the same shape."""
        mask = np.ones(values.shape, dtype=bool)
        for child in self.order:
            for gate in self.gates[child]:
                mask[:, child] &= gate.holds(values[:, gate.parent]) & mask[:, gate.parent]
        return mask


def build(parameters: Mapping[str, Parameter]) -> Codec:
    """Compile sound declarations."""
    declared = tuple(parameters.values())
    low, high, a, b = np.array([_bounds(p) for p in declared], dtype=np.float64).T
    is_float, is_int, is_choice = (
        np.array([isinstance(p, kind) for p in declared], dtype=bool)
        for kind in (Float, Int, Choice)
    )
    names = tuple(parameters)
    return Codec(
        names=names,
        parameters=declared,
        is_float=is_float,
        is_int=is_int,
        is_choice=is_choice,
        floats=np.flatnonzero(is_float),
        log=np.array([j for j, p in enumerate(declared) if is_log(p)], dtype=np.intp),
        low=low,
        high=high,
        a=a,
        b=b,
        decimals=tuple(
            (j, _decimals(p)) for j, p in enumerate(declared) if isinstance(p, Float) and p.low < 0
        ),
        span=np.where(b > a, b - a, 1.0),
        order=tuple(names.index(name) for name in order(parameters)),
        gates=tuple(
            tuple(_gate(names.index(c.parent), c, parameters[c.parent]) for c in conditions(p))
            for p in declared
        ),
    )


def default_values(codec: Codec) -> Array:
    """Return the coded defaults, shape (d,): as declared, else the middle, or the first choice."""
    default = codec.rounded(codec.to_values(np.full((1, codec.low.size), 0.5)))[0]
    for j, p in enumerate(codec.parameters):
        if isinstance(p, Choice) or p.default is not None:
            default[j] = coded(p.default, p)
    return np.asarray(default)


def coded(value: Scalar, parameter: Parameter) -> float:
    """Return the number that stands for a value: itself, or its index; NaN for no choice."""
    if isinstance(parameter, Choice):
        index = position(value, parameter.values)
        return math.nan if index is None else float(index)
    return float(value)  # type: ignore[arg-type]


def is_log(p: Parameter) -> bool:
    """Whether a parameter lives in log scale."""
    return not isinstance(p, Choice) and p.log


def _bounds(p: Parameter) -> tuple[float, float, float, float]:
    if isinstance(p, Choice):
        return 0.0, len(p.values) - 1.0, 0.0, float(len(p.values))
    half = 0.5 if isinstance(p, Int) else 0.0
    a, b = p.low - half, p.high + half
    return (p.low, p.high, *((float(np.log(a)), float(np.log(b))) if p.log else (a, b)))


def _decimals(p: Float) -> int:
    """Decimal places of a range with negative numbers.

    Near zero such a coordinate resolves 1e-16 of the range, not of the value.
    """
    return 14 - math.ceil(math.log10(max(abs(p.low), abs(p.high))))


def _gate(parent: int, condition: Condition, declared: Parameter) -> Gate:
    if condition.range is None:
        values = tuple(coded(v, declared) for v in condition.values)
        return Gate(parent, values, 0.0, 0.0)
    low, high = condition.range
    if isinstance(declared, Choice):
        values = tuple(
            float(i)
            for i, v in enumerate(declared.values)
            if is_real(v) and low <= v <= high  # type: ignore[operator]
        )
        return Gate(parent, values, 0.0, 0.0)
    return Gate(parent, (), low, high)
