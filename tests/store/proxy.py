"""A TCP proxy before PostgreSQL that cuts the connection around what writes events for good."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

# Either a COMMIT, or the one statement that locks, writes an array of kinds, and commits.
_WRITES = re.compile(rb"COMMIT\x00|\{(proposed|started|reported|ended|requeued)[,}]")

# What the server gets to see of it: nothing, all of it, or all of it a while after the
# client was cut off.
Cut = Literal["before", "after", "late"]

# The message by which a server tells the number of its process, and a key.
_KEY = re.compile(rb"(K\x00\x00\x00\x0c)[\x00-\xff]{4}")


def _refusal(message: str) -> bytes:
    fields = b"SFATAL\0VFATAL\0C08P01\0M" + message.encode() + b"\0\0"
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


class Proxy:
    """Passes bytes on; once `cut` is set, the next write costs its client the connection.

    `pooler`: like pgbouncer it takes no settings at the start of a session, and makes up the number
    of the server's process.
    """

    def __init__(self, url: str, *, pooler: bool = False) -> None:
        self._pooler = pooler
        self._split = urlsplit(url)
        self._there = (self._split.hostname or "127.0.0.1", self._split.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.cut: Cut | None = None
        self.cuts = 0

    @property
    def url(self) -> str:
        port = self._listener.getsockname()[1]
        user = self._split.netloc.rpartition("@")[0]
        return urlunsplit(self._split._replace(netloc=f"{user}@127.0.0.1:{port}"))

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._there)
            for run in (self._requests, self._answers):
                threading.Thread(target=run, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), server:
            while data := client.recv(1 << 16):
                if self._pooler and b"\x00options\x00" in data:
                    client.sendall(_refusal("unsupported startup parameter: options"))
                    client.shutdown(socket.SHUT_RDWR)
                    server.shutdown(socket.SHUT_RDWR)
                    return
                if self.cut is not None and _WRITES.search(data):
                    how, self.cut = self.cut, None
                    self.cuts += 1
                    client.shutdown(socket.SHUT_RDWR)
                    time.sleep(0.5 if how == "late" else 0.0)
                    if how != "before":
                        server.sendall(data)
                        time.sleep(0.2)
                    server.shutdown(socket.SHUT_RDWR)
                    return
                server.sendall(data)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            while data := server.recv(1 << 16):
                if self._pooler:
                    data = _KEY.sub(lambda m: m[1] + b"\0\0\0\x07", data, count=1)
                client.sendall(data)

    def close(self) -> None:
        """Take no further connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextlib.contextmanager
def proxied(url: str, *, pooler: bool = False) -> Iterator[Proxy]:
    """Serve a proxy before the server of `url`."""
    proxy = Proxy(url, pooler=pooler)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
