"""Memory of a job: sizes as people write them, and what a process and all below it hold.

Held memory is the sum of the processes' resident pages. Pages that several processes share are
counted once for all of them (proportional set size), but only where the plain sum is over the
limit: reading that takes longer.

References: proc(5), ``statm`` and ``smaps_rollup``.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from pathlib import Path

from maquette.number import as_number, written_number

_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def parse_size(value: object) -> int | None:
    """Return bytes: of a number, or of a text such as "8GB" (10^9) or "512 MiB" (2^20).

    None for what is no positive size.
    """
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)(i?)B?\s*", value, re.IGNORECASE)
        number = None if found is None else written_number(found[1])
        if found is None or number is None:
            return None
        number *= (1024 if found[3] else 1000) ** _UNITS[found[2].upper()]
    else:
        number = as_number(value)
    if number is None or not math.isfinite(number) or number < 1:
        return None
    return int(number)


def held_above(job: int, limit: int) -> int | None:
    """Return the bytes that a process and all below it hold, if more than `limit`; else None."""
    family = _family(job)
    if sum(_resident(pid) for pid in family) <= limit:
        return None
    held = sum(_proportional(pid) for pid in family)
    return held if held > limit else None


def in_words(size: int) -> str:
    """Return a size for people."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if size >= 10**power:
            return f"{size / 10**power:.3g} {unit}"
    return f"{size} bytes"


def _family(pid: int) -> list[int]:
    """Return a process and its living descendants."""
    found, frontier = [], [pid]
    while frontier:
        found += frontier
        children: list[int] = []
        for parent in frontier:
            with contextlib.suppress(OSError, ValueError):
                for thread in Path(f"/proc/{parent}/task").iterdir():
                    children += map(int, (thread / "children").read_text().split())
        frontier = children
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return _resident(pid)
