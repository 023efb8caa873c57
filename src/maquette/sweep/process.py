"""One program under its guard: started, listened to, ended."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

from maquette.errors import ProgramError
from maquette.sweep import guard

# Less than the grace between SIGTERM and SIGKILL for the job itself.
GRACE_SECONDS = 4.0
_CHUNK = 1 << 16
_DRAIN_SECONDS = 2.0
_LOOK_SECONDS = 0.05

Hear = Callable[[bytes, bool], None]


@final
class Process:
    """A running program.

    Parameters
    ----------
    words
        The command; nothing is read by a shell.
    environment
        The program's environment.
    held
        Descriptors that are to stay open until the program and all that it started have ended.
    grace
        Seconds between SIGTERM and SIGKILL.

    Raises
    ------
    ProgramError
        If no guard can be started.
    """

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        held: Sequence[int] = (),
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._channel, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-S", guard.__file__, str(theirs.fileno()), str(grace)]
        try:
            self._guard = subprocess.Popen(  # noqa: S603 - a list of words, no shell
                [*command, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                pass_fds=[theirs.fileno(), *held],
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            self._channel.close()
            raise ProgramError(f"the program cannot be started: {error}") from None
        finally:
            theirs.close()
        self._said = b""
        self._ended = False

    def end(self) -> None:
        """Ask the guard to end the program; safe in a signal handler."""
        with contextlib.suppress(OSError):
            os.write(self._channel.fileno(), b"t")

    def listen(self, hear: Hear, look: Callable[[], None]) -> int:
        """Hand over what the program prints until it ends; return its exit code.

        Parameters
        ----------
        hear
            Called with bytes, and whether they stood on stderr.
        look
            Called twenty times a second meanwhile.

        Raises
        ------
        ProgramError
            If the program cannot be started, or its guard was killed.
        """
        message: dict[str, Any] | None = None
        deadline = None
        with selectors.DefaultSelector() as selector:
            for stream, is_error in ((self._guard.stdout, False), (self._guard.stderr, True)):
                if stream is not None:
                    selector.register(stream, selectors.EVENT_READ, is_error)
            selector.register(self._channel, selectors.EVENT_READ)
            while selector.get_map():
                # A process that left no trace on this system may keep a pipe open for ever.
                if deadline is not None and time.monotonic() > deadline:
                    break
                look()
                for key, _ in selector.select(_LOOK_SECONDS):
                    if data := os.read(key.fd, _CHUNK):
                        if key.fileobj is self._channel:
                            self._said += data
                        else:
                            hear(data, key.data)
                        continue
                    selector.unregister(key.fileobj)
                    if key.fileobj is self._channel:
                        message = _message(self._said)
                        deadline = time.monotonic() + _DRAIN_SECONDS
        return _exit_code(message)

    def close(self) -> None:
        """Let go of the program, which ends it; wait for the guard."""
        if self._ended:
            return
        self._ended = True
        self._channel.close()
        self._guard.wait()
        for stream in (self._guard.stdout, self._guard.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def terminable(process: Process) -> Iterator[None]:
    """Hand a SIGTERM for this job on to the program, and die of it once the program has ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = []

    def hand_on(number: int, frame: object) -> None:
        asked.append(number)
        process.end()

    before = signal.signal(signal.SIGTERM, hand_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if asked:
            process.close()
            os.kill(os.getpid(), signal.SIGTERM)


def _message(said: bytes) -> dict[str, Any] | None:
    try:
        message: dict[str, Any] = json.loads(said)
    except ValueError:
        return None
    return message


def _exit_code(message: Mapping[str, Any] | None) -> int:
    if message is None:
        raise ProgramError("the process that watched the program was killed from outside")
    if "error" in message:
        raise ProgramError(str(message["error"]))
    return int(message["code"])
