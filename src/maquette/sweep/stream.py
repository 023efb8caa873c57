"""A program's output, read as it comes: lines of bounded length, a tail, signs of lost memory."""

from __future__ import annotations

from typing import final

# A longer line is in the log, but no result is looked for in it.
LONGEST_LINE = 1 << 18
_TAIL = 1500
_TAIL_LINES = 10
_SIGN = 64

# What frameworks and interpreters print when memory runs out.
_OOM_SIGNS = (
    b"CUDA out of memory",
    b"HIP out of memory",
    b"OutOfMemoryError",
    b"CUDA_ERROR_OUT_OF_MEMORY",
    b"RESOURCE_EXHAUSTED: Out of memory",
    b"DefaultCPUAllocator: can't allocate memory",
    b"\nMemoryError",
)


@final
class Stream:
    """Cuts one stream of bytes into lines; holds a line and a screenful at most, whatever comes."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._too_long = False
        self._last = b"\n"
        self.out_of_memory = False

    def take(self, data: bytes) -> list[str]:
        """Take the next bytes; return the lines that are complete now.

        A carriage return begins a line anew, as on a terminal; bytes that are no UTF-8 become
        replacement characters.
        """
        window = self._last[-_SIGN:] + data
        self.out_of_memory = self.out_of_memory or any(sign in window for sign in _OOM_SIGNS)
        self._last = (self._last + data[-_TAIL:])[-_TAIL:]
        *whole, rest = data.split(b"\n")
        lines = []
        for part in whole:
            self._extend(part)
            lines += self._cut()
        self._extend(rest)
        return lines

    def end(self) -> list[str]:
        """Return the last line, if it had no end."""
        return self._cut() if self._line else []

    def tail(self) -> str:
        """Return the last lines, a screenful at most."""
        text = self._last.decode("utf-8", errors="replace")
        return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])

    def _extend(self, part: bytes) -> None:
        self._too_long = self._too_long or len(self._line) + len(part) > LONGEST_LINE
        if not self._too_long:
            self._line += part

    def _cut(self) -> list[str]:
        line, too_long = bytes(self._line), self._too_long
        self._line.clear()
        self._too_long = False
        if too_long:
            return []
        shown = line.removesuffix(b"\r").rpartition(b"\r")[2]
        return [shown.decode("utf-8", errors="replace")] if shown.strip() else []
