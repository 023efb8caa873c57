"""Processes of a campaign, found by a mark in their environment, as /proc tells it."""

from __future__ import annotations

import os
from pathlib import Path

MARK = "FAULTS_MARK"


def marked(mark: str) -> list[int]:
    """Return the living processes that carry a mark."""
    sought, found = f"{MARK}={mark}\0".encode(), []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if sought in Path(f"/proc/{entry}/environ").read_bytes() and not is_zombie(int(entry)):
                found.append(int(entry))
        except OSError:
            continue
    return found


def fields(pid: int) -> list[str]:
    """Return state, parent, group, session ... of a process; OSError if it is gone."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def is_zombie(pid: int) -> bool:
    return fields(pid)[0] in "ZX"


def children(pid: int, among: list[int]) -> list[int]:
    """Return those of `among` whose parent is `pid`."""
    found = []
    for other in among:
        try:
            if int(fields(other)[1]) == pid:
                found.append(other)
        except OSError:
            continue
    return found


def words(pid: int) -> str:
    """Return a process's command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
    except OSError:
        return "gone"
