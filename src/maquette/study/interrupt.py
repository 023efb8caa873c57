"""Ctrl-C as a contract: drain, then cancel and requeue, then exit."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, final

from maquette.errors import MaquetteError


@final
class Interrupted(MaquetteError):  # noqa: N818 - not an error: the run was asked to stop
    """A run was stopped by the user; the same command resumes it."""

    code = "MQ301"


@final
class Interrupts:
    """Counts requests to stop while a run is under way (a context manager).

    First Ctrl-C: start nothing new, let what runs end. Second, or SIGTERM: cancel and requeue.
    Third: leave at once; running jobs see the end of their pipe and end themselves, and their
    trials are requeued by the next run.
    """

    def __init__(self, inline: bool) -> None:
        self.count = 0
        self._inline = inline
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for sign in (signal.SIGINT, signal.SIGTERM):
                self._before[sign] = signal.signal(sign, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for sign, handler in self._before.items():
            signal.signal(sign, handler)

    def _handle(self, sign: int, frame: FrameType | None) -> None:
        self.count = max(self.count + 1, 2 if sign == signal.SIGTERM else 0)
        if self.count == 1:
            _say("stopping: waiting for running trials to end (Ctrl-C again cancels them)")
        elif self.count == 2:
            _say("cancelling: running trials are put back in the queue (Ctrl-C again exits now)")
            if self._inline:
                # The user's function runs in this very thread; nothing else would reach it.
                raise KeyboardInterrupt
        else:
            os._exit(3)


def _say(text: str) -> None:
    # sys.stderr.write is not safe inside a signal handler that interrupted another write.
    try:
        os.write(sys.stderr.fileno(), f"\n{text}\n".encode())
    except (OSError, ValueError, AttributeError):
        return
