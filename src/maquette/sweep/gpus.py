"""GPUs for programs: fixed groups of visible devices, each held by one trial at a time."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import final

VISIBLE = "CUDA_VISIBLE_DEVICES"
_PAUSE = 0.1


def visible_devices() -> tuple[str, ...]:
    """Return the names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES has them."""
    given = os.environ.get(VISIBLE)
    if given is not None:
        names = [part.strip() for part in given.split(",")]
        # CUDA ignores what follows the first device that is none.
        return tuple(names[: names.index("-1")] if "-1" in names else filter(None, names))
    try:
        entries = os.listdir("/dev")
    except OSError:
        return ()
    count = sum(1 for entry in entries if re.fullmatch(r"nvidia\d+", entry))
    return tuple(str(i) for i in range(count))


@final
class Slot:
    """A group of devices, held until `close` or, through `descriptor`, by whoever inherited it."""

    def __init__(self, devices: Sequence[str], descriptor: int) -> None:
        self.devices = ",".join(devices)
        self.descriptor = descriptor

    def close(self) -> None:
        """Let go of the lock here; it stays with a process that inherited it until that ends."""
        os.close(self.descriptor)


def take_slot(devices: Sequence[str], each: int, folder: Path) -> Slot:
    """Wait for a free group of `each` devices and hold it.

    Parameters
    ----------
    devices
        The devices to share out; slot s has those from s * each on.
    folder
        Where the locks are kept, one file a slot and machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname()
    while True:
        for first in range(0, len(devices) - each + 1, each):
            group = devices[first : first + each]
            name = re.sub(r"[^\w.-]+", "_", f"{host}-{group[0]}.lock")
            descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            else:
                return Slot(group, descriptor)
        # A cancelled trial's program may still be ending.
        time.sleep(_PAUSE)
