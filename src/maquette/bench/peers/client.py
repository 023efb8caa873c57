"""A peer's process: requests and answers in lines of JSON, with a limit on the wait."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from maquette.bench.peers.catalogue import Peer
from maquette.bench.peers.environment import python
from maquette.errors import BenchmarkError

_ADAPTERS = Path(__file__).with_name("adapters")

# Loads the adapters as a package of its own: Maquette cannot be imported where they run.
_BOOT = """
import importlib.util, sys
place, name = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "adapters", place + "/__init__.py", submodule_search_locations=[place])
sys.modules["adapters"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from adapters.serve import main
main(name)
"""

_TAIL = 1500


class PeerError(BenchmarkError):
    """A peer crashed, hangs, or cannot do what is asked; `how` says which."""

    code = "MQ551"
    how = "crashed"


class PeerHungError(PeerError):
    """A peer gave no answer in time."""

    code = "MQ552"
    how = "hung"


class PeerUnsupportedError(PeerError):
    """A peer cannot do what is asked of it."""

    code = "MQ553"
    how = "unsupported"


def command(peer: Peer) -> list[str]:
    """Return the command that serves a peer.

    Raises
    ------
    BenchmarkError
        If it is not installed.
    """
    return [str(python(peer)), "-s", "-c", _BOOT, str(_ADAPTERS), peer.adapter]


@final
class PeerProcess:
    """A running peer; close it, or use it as a context.

    Parameters
    ----------
    name
        For messages.
    command
        What to start; see `command`.
    patience
        Seconds that one answer may take.

    Attributes
    ----------
    seconds
        Spent waiting for answers so far.
    """

    def __init__(self, name: str, command: Sequence[str], patience: float = 600.0) -> None:
        self.name = name
        self.seconds = 0.0
        self._patience = patience
        self._folder = Path(tempfile.mkdtemp(prefix="maquette-peer-"))
        self._log = self._folder / "stderr.txt"
        with self._log.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - a command of ours
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self._folder,
                env=self._environment(),
                start_new_session=True,
            )
        self._rest = b""
        self._posted: list[tuple[str, Mapping[str, Any]]] = []
        self._ready = selectors.PollSelector()
        if self._process.stdout is not None:
            self._ready.register(self._process.stdout, selectors.EVENT_READ)

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def post(self, op: str, **arguments: Any) -> None:
        """Send word that needs no answer, along with the next request.

        What goes wrong with it is raised there. What was posted last before a `start` is dropped.
        """
        self._posted.append((op, {"op": op, **arguments}))

    def request(self, op: str, **arguments: Any) -> Any:
        """Send a request and return its answer.

        Raises
        ------
        PeerError
            If the peer fails or ends; the last of what it printed is quoted.
        PeerHungError
            If the answer takes longer than the peer's patience.
        PeerUnsupportedError
            If the peer cannot do it.
        """
        began = time.monotonic()
        before = [] if op == "start" else self._posted
        said, self._posted = [*before, (op, {"op": op, **arguments})], []
        try:
            self._send("".join(json.dumps(message) + "\n" for _, message in said).encode())
            lines = [self._line(name, began + self._patience) for name, _ in said]
        finally:
            self.seconds += time.monotonic() - began
        answers = [self._read(name, line) for (name, _), line in zip(said, lines, strict=True)]
        return answers[-1]

    def _read(self, op: str, line: bytes) -> Any:
        try:
            answer: Mapping[str, Any] = json.loads(line)
        except ValueError:
            raise PeerError(f"{self.name} answered {line[:200]!r}, which is not JSON") from None
        if "unsupported" in answer:
            raise PeerUnsupportedError(f"{self.name}: {answer['unsupported']}")
        if "error" in answer:
            raise PeerError(f"{self.name} failed at {op}: {_last(str(answer['error']))}")
        return answer["ok"]

    def close(self) -> None:
        """End the process and remove what it wrote."""
        process = self._process
        self._ready.close()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # it went before it had read everything
                    continue
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._process.wait()

    def _environment(self) -> dict[str, str]:
        """One thread, no display, no accelerator, files in a folder of its own, fixed hashes."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MAQUETTE"))}
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        own = {"TMPDIR": str(self._folder), "PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": ""}
        return kept | one | own | {"MPLBACKEND": "agg"}

    def _send(self, line: bytes) -> None:
        pipe = self._process.stdin
        try:
            if pipe is not None:
                pipe.write(line)
                pipe.flush()
        except OSError:
            raise self._gone("before a request") from None

    def _line(self, op: str, until: float) -> bytes:
        pipe = self._process.stdout
        if pipe is None:
            raise self._gone("without a pipe")
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not self._ready.select(left):
                self._kill()
                raise PeerHungError(
                    f"{self.name} gave no answer to {op} within {self._patience:g} s"
                )
            more = os.read(pipe.fileno(), 1 << 16)
            if not more:
                raise self._gone(f"at {op}")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _gone(self, when: str) -> PeerError:
        try:
            code = self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self._kill()
            code = -signal.SIGKILL
        said = self._log.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip()
        return PeerError(f"{self.name} ended {when} with exit code {code}: {_last(said) or 'mute'}")


def _last(text: str) -> str:
    """Return the last few lines of a traceback on one line."""
    return " | ".join(line.strip() for line in text.strip().splitlines()[-4:])
