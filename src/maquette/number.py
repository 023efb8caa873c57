"""What counts as a number, whatever library it comes from, and how JSON writes it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

# Half the width of a normal distribution's 90 % interval, in standard deviations.
Z90 = 1.6448536269514722

_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"\s*([0-9.]+)\s*(s|min|m|h|d)")


def as_number(value: Any) -> float | None:
    """Return a real number, 0-d array or 1-element tensor as a float; None if it is not one.

    Booleans and strings are no numbers; NaN and infinities are.
    """
    if isinstance(value, bool | np.bool_ | complex | np.complexfloating):
        return None
    if isinstance(value, int | float | np.number):
        return float(value)
    item = getattr(value, "item", None)
    if item is None or getattr(value, "size", None) is None:
        return None
    try:
        scalar = item()
    except (TypeError, ValueError, RuntimeError):
        return None
    numeric = isinstance(scalar, int | float) and not isinstance(scalar, bool)
    return float(scalar) if numeric else None


def is_count(value: Any, least: int = 1) -> bool:
    """Whether a value is a whole number, `least` or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_positive(value: Any) -> bool:
    """Whether a value is a positive, finite number."""
    number = as_number(value)
    return number is not None and math.isfinite(number) and number > 0


def is_amount(value: Any) -> bool:
    """Whether a value is a finite number, zero or more."""
    number = as_number(value)
    return number is not None and math.isfinite(number) and number >= 0


def written_number(text: str) -> float | None:
    """Return the number that a text writes; None if it writes none."""
    try:
        return float(text)
    except ValueError:
        return None


def as_seconds(value: Any) -> float | None:
    """Return a time span in seconds: of a number, or of a text such as "4h" or "1h 30m".

    None for what is no positive, finite span.
    """
    number = as_number(value)
    if isinstance(value, str) and not _SPAN.sub("", value).strip():
        parts = [(written_number(count), _SECONDS[unit]) for count, unit in _SPAN.findall(value)]
        number = sum(count * unit for count, unit in parts if count is not None)
    return number if is_positive(number) else None


def json_ready(value: Any, digits: int | None = None) -> Any:
    """Return a value as strict JSON knows it: NaN and infinities null, numpy scalars numbers.

    Parameters
    ----------
    value
        Mappings, lists and tuples of them included.
    digits
        Significant digits that floats keep; None: all.
    """
    if isinstance(value, Mapping):
        return {str(k): json_ready(v, digits) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(v, digits) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return value if digits is None else float(f"{value:.{digits}g}")
