"""Processes that a job leaves behind: adopted by the job's server, and ended.

A job's process group is killed with it. What went into a session of its own escapes that; on Linux
it falls to the server, which is made the reaper of its descendants. A server that is itself killed
is survived by them: its driver finds them by a mark in their environment.

References: prctl(2), PR_SET_CHILD_SUBREAPER; proc(5).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import final

MARK = "MAQUETTE_SERVER"
_PR_SET_CHILD_SUBREAPER = 36
# Between SIGTERM and SIGKILL: as long as the guard of a sweep's program takes to end it.
GRACE_SECONDS = 2.5


@final
class Strays:
    """What falls to this process from jobs that have ended; elsewhere than on Linux, nothing.

    Children that this process has already are its own: a module may have started them while it
    was imported.
    """

    def __init__(self) -> None:
        if sys.platform.startswith("linux"):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._own = frozenset(_children())
        self._kill_at: dict[int, float] = {}

    def sweep(self, jobs: Collection[int], *, now: bool = False) -> bool:
        """End the children that are no jobs: SIGTERM, SIGKILL after a grace; whether any is left.

        `now`: SIGKILL at once.
        """
        found = [pid for pid in _children() if pid not in self._own and pid not in jobs]
        self._kill_at = {pid: at for pid, at in self._kill_at.items() if pid in found}
        left = False
        for pid in found:
            if collected(pid):
                continue
            left = True
            if pid not in self._kill_at:
                self._kill_at[pid] = time.monotonic() + GRACE_SECONDS
                _signal(pid, signal.SIGTERM)
            if now or time.monotonic() >= self._kill_at[pid]:
                _signal(pid, signal.SIGKILL)
        return left


def kill_marked(mark: str) -> None:
    """Kill every process of this user that has a server's mark in its environment (Linux).

    Until none is found: one that was about to be killed may have started another meanwhile.
    """
    sought = f"{MARK}={mark}\0".encode()
    deadline = time.monotonic() + GRACE_SECONDS
    while _kill(sought) and time.monotonic() < deadline:
        time.sleep(0.01)


def _kill(sought: bytes) -> bool:
    """Kill the processes that now have some bytes in their environment; whether there was any."""
    found = False
    with contextlib.suppress(OSError):
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != os.getpid():
                with contextlib.suppress(OSError):
                    if sought in Path(f"/proc/{entry}/environ").read_bytes():
                        found = True
                        os.kill(int(entry), signal.SIGKILL)
    return found


def _children() -> list[int]:
    """Return the children of this process, which has one thread; nothing where /proc is not."""
    pid = os.getpid()
    try:
        return [int(p) for p in Path(f"/proc/self/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):
        return []


def collected(pid: int) -> bool:
    """Whether a child has ended; its exit code is thrown away."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
