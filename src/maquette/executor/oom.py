"""Evidence that the kernel ended processes because memory ran out.

References: Linux kernel documentation, "Control Group v2", memory.events (``oom_kill``);
"Memory Resource Controller" (v1), memory.oom_control.
"""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_LISTING = Path("/proc/self/cgroup")


def oom_kills() -> int | None:
    """Return how many processes of this memory cgroup were killed so far; None if unknown."""
    for path in _counters():
        try:
            words = path.read_text().split()
        except OSError:
            continue
        for name, value in zip(words[::2], words[1::2], strict=False):
            if name == "oom_kill" and value.isdigit():
                return int(value)
    return None


def _counters() -> list[Path]:
    """Return the files that may hold the counter, the most telling first."""
    try:
        lines = _LISTING.read_text().splitlines()
    except OSError:
        return []
    paths = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        own = path.lstrip("/")
        if "memory" in controllers.split(","):
            # In a container the path may be the host's, and the own group the root of the mount.
            paths += [_ROOT / "memory" / p / "memory.oom_control" for p in (own, "")]
        elif not controllers:
            paths += [_ROOT / p / "memory.events" for p in (own, "")]
    return paths
