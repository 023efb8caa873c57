"""GPUs: fixed groups of visible devices, each held by one job at a time on this machine."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import final

from maquette.errors import ExecutorError

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


def slots_of(devices: Sequence[str], each: int) -> int:
    """Return how many groups of `each` devices there are; ExecutorError if there is none."""
    if len(devices) < each:
        raise ExecutorError(
            f"{each} GPUs are asked for each job, and {len(devices)} are visible here",
            hint=f"leave out gpus, or see what {VISIBLE} names",
        )
    return len(devices) // each


@final
class Slot:
    """A group of devices, held until `close` or, through its descriptors, by whoever has them."""

    def __init__(self, devices: Sequence[str], descriptors: Sequence[int]) -> None:
        self.devices = ",".join(devices)
        self.descriptors = tuple(descriptors)

    def close(self) -> None:
        """Let go of the locks here; a process that inherited them has them until it ends."""
        for descriptor in self.descriptors:
            os.close(descriptor)


def take_slot(devices: Sequence[str], each: int, folder: Path | None = None) -> Slot:
    """Wait for a free group of `each` devices and hold it.

    Parameters
    ----------
    devices
        The devices to share out; slot s has those from s * each on.
    folder
        Where the locks are kept, one file a device and machine. None: where all studies and sweeps
        of this user on this machine look.
    """
    folder = _lock_folder() if folder is None else folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        for first in range(0, len(devices) - each + 1, each):
            group = devices[first : first + each]
            held = _lock([folder / _file_name(device) for device in group])
            if held is not None:
                return Slot(group, held)
        # A cancelled trial's program may still be ending.
        time.sleep(_PAUSE)


def _lock(files: Sequence[Path]) -> list[int] | None:
    """Lock all of these files, or none."""
    held: list[int] = []
    for file in files:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        held.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            for descriptor in held:
                os.close(descriptor)
            return None
    return held


def _file_name(device: str) -> str:
    return re.sub(r"[^\w.-]+", "_", f"{socket.gethostname()}-{device}.lock")


def _lock_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"maquette-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise ExecutorError(
            f"GPUs cannot be shared out: {folder} belongs to somebody else",
            hint="set TMPDIR to a folder of your own",
        )
    return folder
