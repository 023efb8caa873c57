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


@final
@dataclass(frozen=True, slots=True)
class Gate:
    """A condition on coded values: `child` needs `parent` among values, or in [low, high]."""

    child: int
    parent: int
    values: tuple[float, ...]
    low: float
    high: float

    def holds(self, column: Array) -> Mask:
        """Evaluate on coded values of the parent, shape (n,)."""
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

    parameters: tuple[Parameter, ...]
    is_float: Mask
    is_int: Mask
    is_choice: Mask
    log: NDArray[np.intp]  # indices of log dimensions
    low: Array
    high: Array
    a: Array  # ends of the unit interval in the (log) scale
    b: Array
    decimals: tuple[int | None, ...]
    gates: tuple[Gate, ...]  # parents before children

    @property
    def floats(self) -> list[int]:
        """Indices of the Float dimensions."""
        return [int(j) for j in np.flatnonzero(self.is_float)]

    def to_unit(self, values: Array) -> Array:
        """Map coded values to coordinates, both (n, d)."""
        t = values + 0.5 * self.is_choice
        if self.log.size:
            t[:, self.log] = np.log(values[:, self.log])
        span = self.b - self.a
        constant = span <= 0
        unit = (t - self.a) / np.where(constant, 1.0, span)
        return np.asarray(np.where(constant, 0.5, unit))

    def to_values(self, unit: Array) -> Array:
        """Map coordinates to coded values, both (n, d); coordinates are clipped to [0, 1]."""
        unit = np.clip(unit, 0.0, 1.0)
        t = self.a + unit * (self.b - self.a)
        if self.log.size:
            t[:, self.log] = np.exp(t[:, self.log])
        whole = np.floor(t + 0.5 * self.is_int)
        values = np.clip(np.where(self.is_float, t, whole), self.low, self.high)
        # The ends are met exactly, which a + 1 (b - a) in floating point does not promise.
        values = np.where(unit >= 1.0, self.high, np.where(unit <= 0.0, self.low, values))
        return np.asarray(values)

    def rounded(self, values: Array) -> Array:
        """Round the floats of coded values (n, d) to 13 significant digits, within bounds."""
        for j in self.floats:
            places, low, high = self.decimals[j], float(self.low[j]), float(self.high[j])
            column = values[:, j].tolist()
            if places is not None:
                column = [round(x, places) for x in column]
            column = [float(f"{x:.12e}") + 0.0 for x in column]
            values[:, j] = [low if x < low else high if x > high else x for x in column]
        return values

    def active(self, values: Array) -> Mask:
        """Return which parameters exist in coded values (n, d); the mask has the same shape."""
        mask = np.ones(values.shape, dtype=bool)
        for gate in self.gates:
            held = gate.holds(values[:, gate.parent]) & mask[:, gate.parent]
            mask[:, gate.child] &= held
        return mask


def build(parameters: Mapping[str, Parameter]) -> Codec:
    """Compile sound declarations."""
    declared = tuple(parameters.values())
    low, high, a, b = np.array([_bounds(p) for p in declared], dtype=np.float64).T
    is_float, is_int, is_choice = (
        np.array([isinstance(p, kind) for p in declared], dtype=bool)
        for kind in (Float, Int, Choice)
    )
    return Codec(
        parameters=declared,
        is_float=is_float,
        is_int=is_int,
        is_choice=is_choice,
        log=np.array([j for j, p in enumerate(declared) if is_log(p)], dtype=np.intp),
        low=low,
        high=high,
        a=a,
        b=b,
        decimals=tuple(_decimals(p) for p in declared),
        gates=_gates(parameters),
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
    return (p.low, p.high, *((math.log(a), math.log(b)) if p.log else (a, b)))


def _decimals(p: Parameter) -> int | None:
    """Decimal places of a range with negative numbers.

    Near zero such a coordinate resolves 1e-16 of the range, not of the value.
    """
    if not isinstance(p, Float) or p.low >= 0:
        return None
    return 14 - math.ceil(math.log10(max(abs(p.low), abs(p.high))))


def _gates(parameters: Mapping[str, Parameter]) -> tuple[Gate, ...]:
    index = {name: j for j, name in enumerate(parameters)}
    return tuple(
        _gate(index[name], index[c.parent], c, parameters[c.parent])
        for name in order(parameters)
        for c in conditions(parameters[name])
    )


def _gate(child: int, parent: int, condition: Condition, declared: Parameter) -> Gate:
    if condition.range is None:
        values = tuple(coded(v, declared) for v in condition.values)
        return Gate(child, parent, values, 0.0, 0.0)
    low, high = condition.range
    if isinstance(declared, Choice):
        values = tuple(
            float(i)
            for i, v in enumerate(declared.values)
            if is_real(v) and low <= v <= high  # type: ignore[operator]
        )
        return Gate(child, parent, values, 0.0, 0.0)
    return Gate(child, parent, (), low, high)
