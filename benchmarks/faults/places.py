"""Where a campaign's stores stand: on a small disk that can be filled, and what else can fail."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

SIZE = "48m"
FULL_SECONDS, HELD_SECONDS = 1.5, 1.5


class Disk:
    """A small file system in memory (tmpfs), so that it can be full without harm to others."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place], check=True)

    def fill(self) -> Callable[[], None]:
        """Take all that is free; return how to give it back."""
        ballast = self.place / "ballast"
        with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
            for block in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * block)
        return lambda: ballast.unlink(missing_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", "-l", self.place], check=False)


class SQLite:
    """A store in a file on the small disk."""

    faults = ("full", "locked")

    def __init__(self, place: Path) -> None:
        self.disk = Disk(place)
        self.file = place / "store.db"
        self.url = f"sqlite:///{self.file}"

    def strike(self, fault: str) -> Callable[[], None] | None:
        """Begin a fault; return what ends it, to be called after some time; None: not now."""
        if fault == "full":
            return self.disk.fill()
        connection = sqlite3.connect(self.file, timeout=5, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            connection.close()
            return None  # another fault has the file
        return connection.close

    def close(self) -> None:
        self.disk.close()


class Postgres:
    """A server of one's own; the trials' folders stand on the small disk."""

    faults = ("full", "restart", "cut", "cut")

    def __init__(self, place: Path) -> None:
        self.disk = Disk(place)
        self.restarting: threading.Thread | None = None
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self.home = Path("/tmp") / f"maquette-faults-{os.getpid()}"
        self.home.mkdir(mode=0o777)
        shutil.chown(self.home, "postgres")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._as("initdb", "-U", "maquette", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self._control("start")
        self.url = f"postgresql://maquette@127.0.0.1:{self.port}/postgres"

    def _as(self, program: str, *arguments: str) -> None:
        user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        command = [*user, self.bin / program, "-D", self.home / "data", *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)

    def _control(self, verb: str, *arguments: str) -> None:
        options = f"-p {self.port} -k {self.home} -c listen_addresses=127.0.0.1"
        self._as("pg_ctl", "-w", "-l", str(self.home / "log"), "-o", options, *arguments, verb)

    def strike(self, fault: str) -> Callable[[], None] | None:
        """Begin a fault; return what ends it, to be called after some time; None: not now."""
        if fault == "full":
            return self.disk.fill()
        if fault == "cut":
            self._cut()
            return lambda: None
        if self.restarting is not None and self.restarting.is_alive():
            return None
        # Immediate: as after a power cut, the server recovers from its log.
        how = ("restart", "-m", "immediate")
        self.restarting = threading.Thread(target=self._control, args=how)
        self.restarting.start()
        return self.restarting.join

    def _cut(self) -> None:
        import psycopg

        for _ in range(50):
            with contextlib.suppress(psycopg.Error), psycopg.connect(self.url) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE usename = 'maquette' AND pid <> pg_backend_pid()"
                )
                return
            time.sleep(0.1)

    def close(self) -> None:
        self._control("stop", "-m", "immediate")
        self.disk.close()
        shutil.rmtree(self.home, ignore_errors=True)


PLACES = {"sqlite": SQLite, "postgresql": Postgres}
