"""The driver's end of a server: starts it, waits until it is ready, and ends it."""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, final

from maquette.errors import ExecutorError
from maquette.executor.exits import in_words
from maquette.executor.server import command
from maquette.executor.strays import MARK, kill_marked
from maquette.executor.wire import Message, Wire

_OUTPUT_KEPT = 4000


@final
class ServerLink:
    """A server process and the two channels to it: messages, and what it prints.

    Parameters
    ----------
    path
        The `sys.path` that the server is to have.
    environment
        Its environment, set before anything heavy is imported.
    reference
        How it finds the function.
    fresh
        Whether it leaves finding the function to each job.

    Attributes
    ----------
    wire
        Messages to and from the server.
    output
        The pipe that takes what the server prints while it imports.
    fresh
        Whether jobs start as new interpreters; the server may find that it cannot fork.

    Raises
    ------
    ExecutorError
        If no process can be started, or the function's module cannot be imported in it.
    """

    def __init__(
        self, path: list[str], environment: Mapping[str, str], reference: Message, fresh: bool
    ) -> None:
        ours, theirs = socket.socketpair()
        self._mark = secrets.token_hex(8)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                command("server", theirs.fileno(), path),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**environment, MARK: self._mark},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            ours.close()
            raise ExecutorError(f"no server process could be started: {error}") from error
        finally:
            theirs.close()
        self.wire = Wire(ours)
        self.output: Any = self._process.stdout
        self._said = b""
        self.wire.send({"argv": sys.argv, "fresh": fresh, "function": reference})
        try:
            self.fresh = self._await_ready()
        except BaseException:
            self.kill()  # it may hang in an import
            raise

    def take_output(self) -> bool:
        """Take what the server printed; False if it will print no more."""
        data = os.read(self.output.fileno(), 1 << 16)
        self._said = (self._said + data)[-_OUTPUT_KEPT:]
        return bool(data)

    def end(self, patience: float) -> bool:
        """Close the channels, which ends the server; False if it lives on after `patience`."""
        self.wire.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return False
        if self._process.returncode != 0:  # it was killed before it could end what jobs had left
            kill_marked(self._mark)
        self.output.close()
        return True

    def kill(self) -> str:
        """Kill the server; return in words how it ended."""
        if self._process.poll() is None:
            kill_group(self._process.pid)
        code = self._process.wait()
        kill_marked(self._mark)
        self.wire.close()
        self.output.close()
        return in_words(code)

    def _await_ready(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self.wire, selectors.EVENT_READ)
            selector.register(self.output, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self.output:
                        if not self.take_output():
                            selector.unregister(self.output)
                        continue
                    for message in self.wire.receive():
                        if message["type"] == "ready":
                            return bool(message["fresh"])
                        raise ExecutorError(
                            [f"the function cannot be loaded: {p}" for p in message["problems"]],
                            hint=message["hint"],
                        )
                    if self.wire.closed:
                        raise self._death()

    def _death(self) -> ExecutorError:
        code = self._process.wait()
        while self.take_output():
            continue
        said = self._said.decode(errors="replace").strip()
        return ExecutorError(
            f"the server process ended ({in_words(code)}) while it imported the function's "
            f"module. It said: {said or 'nothing'}"
        )


def kill_group(group: int) -> None:
    """Kill a process group, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
