"""Coordinates in which valleys are smooth: logs of positive settings, levels of choices.

A unit is a multiplicative constant, so logs taken from the middle of what was tried make every
later step independent of units; the spread of a linear setting plays the same part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Kind = Literal["log", "shifted log", "linear", "choice"]

LOG_RATIO = 3.0  # a positive setting tried over a factor of three or more is a matter of ratios
SHIFTED_LOG_RATIO = 30.0  # zeros beside values that span decades: log(x + smallest positive)


@final
@dataclass(frozen=True, slots=True)
class Setting:
    """One tuned setting and its coordinate z.

    Attributes
    ----------
    name
        Column name.
    kind
        ``log``: z = log x - centre; ``shifted log``: z = log(x + shift) - centre;
        ``linear``: z = (x - centre) / unit; ``choice``: a level, no coordinate.
    centre, unit, shift
        Constants of the coordinate (unit and shift in the column's unit).
    low, high
        Range of what was tried, in coordinates.
    levels
        Values of a choice, in order of first appearance after sorting.
    varies
        Whether more than one value was tried.
    fixed
        The value, where only one was tried.
    """

    name: str
    kind: Kind
    centre: float = 0.0
    unit: float = 1.0
    shift: float = 0.0
    low: float = 0.0
    high: float = 0.0
    levels: tuple[Any, ...] = ()
    varies: bool = True
    fixed: Any = None

    def encode(self, values: Array) -> Array:
        """Map values in the column's unit to coordinates; NaN (inactive) stays NaN."""
        if self.kind == "linear":
            return np.asarray((values - self.centre) / self.unit, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(values + self.shift) - self.centre, dtype=np.float64)

    def decode(self, z: float) -> float:
        """Map a coordinate back to the column's unit."""
        if self.kind == "linear":
            return float(self.centre + self.unit * z)
        value = math.exp(min(max(self.centre + z, -700.0), 700.0)) - self.shift
        return max(value, 0.0) if self.shift else value


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of scale: s = log(value) - centre, centred over the distinct scales at hand."""

    name: str
    centre: float
    low: float
    high: float
    varies: bool

    def encode(self, value: float) -> float:
        """Map a value in the column's unit to s."""
        return math.log(value) - self.centre


def numeric_setting(name: str, values: Array, log: bool | None) -> Setting:
    """Choose the coordinate of a numeric setting from what was tried.

    Parameters
    ----------
    name
        Column name.
    values
        Values tried, shape (n,), NaN where the setting was inactive.
    log
        True or False forces the choice; None decides: log where all are positive and span a
        factor of three, log of shifted values where zeros stand beside values that span a
        factor of thirty, else linear.
    """
    tried = np.unique(values[np.isfinite(values)])
    if tried.size <= 1 or _one_rounded(tried):
        fixed = float(max(tried, key=_digits)) if tried.size else math.nan
        return Setting(name, "linear", centre=fixed, varies=False, fixed=fixed)
    low, high = float(tried[0]), float(tried[-1])
    positive = tried[tried > 0]
    if log is None:
        if low > 0:
            kind: Kind = "log" if high / low >= LOG_RATIO else "linear"
        elif low == 0 and high / float(positive[0]) >= SHIFTED_LOG_RATIO:
            kind = "shifted log"
        else:
            kind = "linear"
    else:
        kind = ("log" if low > 0 else "shifted log") if log else "linear"
    if kind == "linear":
        centre, unit = (low + high) / 2, (high - low) / 2
        return Setting(name, kind, centre=centre, unit=unit, low=-1.0, high=1.0)
    shift = 0.0 if kind == "log" else float(positive[0]) - min(low, 0.0)
    a, b = math.log(low + shift), math.log(high + shift)
    return Setting(name, kind, centre=(a + b) / 2, shift=shift, low=(a - b) / 2, high=(b - a) / 2)


def _one_rounded(tried: Array) -> bool:
    """Whether distinct values are one value, written down with more digits and with fewer."""
    fewest = min(_digits(v) for v in tried)
    return fewest >= 3 and len({f"{v:.{fewest - 1}e}" for v in tried}) == 1


def _digits(value: float) -> int:
    """Count the significant digits that a value is written with."""
    return len(Decimal(f"{value:.15g}").normalize().as_tuple().digits)


def choice_setting(name: str, values: Sequence[Any]) -> Setting:
    """Describe a setting whose values are names, booleans or None."""
    levels = tuple(sorted(set(values), key=lambda v: (str(type(v)), str(v))))
    varies = len(levels) > 1
    return Setting(
        name, "choice", levels=levels, varies=varies, fixed=levels[0] if levels else None
    )


def axis_of(name: str, values: Array) -> Axis:
    """Describe an axis of scale from its values at the distinct scales, shape (cells,)."""
    logs = np.log(values)
    low, high = float(logs.min()), float(logs.max())
    # A column that repeats one value up to rounding does not vary.
    varies = high - low > 1e-9
    centre = float(logs.mean()) if varies else low
    return Axis(name, centre, low - centre, high - centre, varies)


def as_columns(table: Any) -> dict[str, list[Any]]:
    """Turn a mapping of columns, a sequence of row mappings or a data frame into lists."""
    if isinstance(table, Mapping):
        return {str(k): _plain(v) for k, v in table.items()}
    if hasattr(table, "columns") and hasattr(table, "__getitem__"):
        return {str(k): _plain(table[k]) for k in table.columns}
    rows = list(table)
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(str(k) for k in row))
    return {name: [row.get(name) for row in rows] for name in names}


def _plain(column: Any) -> list[Any]:
    return list(column.tolist()) if hasattr(column, "tolist") else list(column)
