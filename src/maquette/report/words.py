"""Numbers and lists as a person writes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

FEW = 8  # of a choice's values are named, the others counted


def short(value: Any, digits: int = 3) -> str:
    """Return a value in few signs: ``0.00812``, ``8e5`` as ``800,000``, text as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e7 or size < 1e-4:
        return f"{value:.{digits}g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def percent(fraction: float) -> str:
    """Return a relative difference in per cent, with as many digits as it deserves."""
    size = abs(100 * fraction)
    return f"{100 * fraction:.0f} %" if size >= 10 else f"{100 * fraction:.2g} %"


def span(seconds: float) -> str:
    """Return a time: ``45 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"


def listed(parts: Iterable[str]) -> str:
    """Join with commas and a last "and"."""
    items = list(parts)
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def more(count: int) -> list[str]:
    """Return what stands for that many items that are not named: nothing for none."""
    return [f"{count} more"] if count > 0 else []


def place(cell: Mapping[str, float]) -> str:
    """Return a cell as words: ``width 64, depth 2``."""
    return ", ".join(f"{name} {short(value)}" for name, value in cell.items())


def ranged(low: float, high: float) -> str:
    """Return an interval: ``0.005 to 0.012``."""
    return f"{short(low)} to {short(high)}"
