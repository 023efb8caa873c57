"""A job's output on disk, capped: its beginning, its end, and how much was left out between."""

from __future__ import annotations

import contextlib
from collections import deque
from io import BufferedWriter
from pathlib import Path
from typing import final

NAME = "log.txt"
HALF = 5_000_000
_TAIL_IN_MESSAGE = 1500


def log_name(rank: int) -> str:
    """Return the name of the file that takes what a rank prints."""
    return f"log.rank{rank}.txt" if rank else NAME


@final
class CappedLog:
    """Takes a stream of bytes and keeps the first and the last `half` bytes of it.

    The first half is in the file at once; the last is held in memory until `close`.
    A disk that is full loses the log and nothing else.

    Parameters
    ----------
    path
        Where to append; None: keep only what `tail` returns.
    title
        Heads the output where the file holds that of an earlier job already.
    """

    def __init__(self, path: Path | None, title: str, half: int = HALF) -> None:
        self._half = half
        self._room = half
        self._recent: deque[bytes] = deque()
        self._held = 0
        self._dropped = 0
        self._last = b""
        self._file = _append(path, title)

    def write(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._last = (self._last + data)[-_TAIL_IN_MESSAGE:]
        head, rest = data[: self._room], data[self._room :]
        if head:
            self._room -= len(head)
            self._put(head)
        if not rest or self._file is None:
            return
        self._recent.append(rest)
        self._held += len(rest)
        while self._held > self._half:
            excess = self._held - self._half
            oldest = self._recent.popleft()
            if len(oldest) > excess:
                self._recent.appendleft(oldest[excess:])
            cut = min(len(oldest), excess)
            self._held -= cut
            self._dropped += cut

    def tail(self) -> str:
        """Return the last lines, a screenful at most."""
        return _lines_of(self._last)

    def close(self) -> None:
        """Write what was held back and close the file."""
        if self._dropped:
            self._put(f"\n[... {self._dropped:,} bytes left out here ...]\n".encode())
        while self._recent:
            self._put(self._recent.popleft())
        if self._file is not None:
            self._file.close()
            self._file = None

    def _put(self, data: bytes) -> None:
        if self._file is None:
            return
        try:
            # Unbuffered: a person who follows the file sees a line when it is printed.
            self._file.write(data)
            self._file.flush()
        except OSError:
            file, self._file = self._file, None
            self._recent.clear()
            with contextlib.suppress(OSError):
                file.close()


def last_lines(folder: Path | None) -> str:
    """Return the last lines of the log in a trial's folder; nothing where there is none."""
    if folder is None:
        return ""
    try:
        return _lines_of((folder / NAME).read_bytes()[-_TAIL_IN_MESSAGE:])
    except OSError:
        return ""


def _lines_of(data: bytes) -> str:
    return "\n".join(data.decode("utf-8", errors="replace").rstrip().splitlines()[-10:])


def _append(path: Path | None, title: str) -> BufferedWriter | None:
    if path is None:
        return None
    try:
        file = open(path, "ab")  # noqa: SIM115 - it stays open as long as the job
        if file.tell() > 0:
            file.write(f"\n--- {title} ---\n".encode())
            file.flush()
    except OSError:
        return None
    return file
