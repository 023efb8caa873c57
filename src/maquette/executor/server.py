"""The server: a clean process that imports the user's function once and forks a child per job.

It has one thread, holds no lock and opens no store, so that forking it is safe. It watches its
children, keeps their output, ends those whose time is up, and ends them all when its driver goes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, final

from maquette.errors import MaquetteError
from maquette.executor import child
from maquette.executor.function import find
from maquette.executor.log import CappedLog
from maquette.executor.memory import held_above
from maquette.executor.oom import oom_kills
from maquette.executor.protocol import Function
from maquette.executor.strays import GRACE_SECONDS, Strays, collected
from maquette.executor.wire import Message, Wire

# How often a server looks whether its driver still lives, should the pipe not tell.
_HEARTBEAT = 1.0
_LOOK = 0.25
_CHUNK = 1 << 16
_PR_SET_PDEATHSIG = 1

BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from maquette.executor.{module} import main; main(int(sys.argv[1]))"
)


def command(module: str, descriptor: int, path: list[str]) -> list[str]:
    """Return the command line that starts a server or a fresh child with the same `sys.path`."""
    # -P: a file in the working directory must not stand in for a module of the standard library.
    boot = BOOT.format(module=module)
    return [sys.executable, "-P", "-c", boot, str(descriptor), json.dumps(path)]


@final
@dataclass(slots=True)
class _Running:
    pid: int
    output: int
    log: CappedLog
    began: float
    timeout: float | None
    grace: float
    oom_before: int | None
    memory: int | None = None
    held: int = 0
    why: str = ""
    kill_at: float | None = None


def main(descriptor: int) -> NoReturn:
    """Serve the driver at the other end of the socket until it goes."""
    wire = Wire(socket.socket(fileno=descriptor))
    setup = wire.next()
    if setup is None:
        os._exit(1)
    sys.argv[:] = setup["argv"]
    fn = None if setup["fresh"] else _prepare(wire, setup["function"])
    # Every child seeds its generators; numpy imports this part at first use alone.
    importlib.import_module("numpy.random")
    # Objects that exist now are shared by all children; a collection would copy their pages.
    gc.collect()
    gc.freeze()
    server = _Server(wire, fn)
    wire.send({"type": "ready", "fresh": fn is None})
    server.run()


def _prepare(wire: Wire, reference: Message) -> Function | None:
    """Find the function; None if what its module left behind forbids to fork."""
    driver = os.getppid()

    def look(number: int, frame: FrameType | None) -> None:
        if os.getppid() != driver:
            os._exit(1)

    # An import may hang, and nobody reads the pipe meanwhile.
    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _HEARTBEAT, _HEARTBEAT)
    problems: Sequence[str]
    hint = None
    try:
        fn = find(reference)
    except MaquetteError as error:
        problems, hint = error.problems, error.hint
    except BaseException:  # sys.exit in the user's module among others
        problems = [traceback.format_exc(limit=-4).strip()]
    else:
        return fn if _may_fork() else None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    wire.send({"type": "failed", "problems": list(problems), "hint": hint})
    os._exit(1)


def _may_fork() -> bool:
    """Whether a fork works as well as this process.

    It has none of its threads, whose locks stay locked for ever, and cannot use a GPU that this
    process has begun to use.
    """
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    return threading.active_count() == 1 and not on_gpu


@final
class _Server:
    """The loop over what drivers ask, children print, and processes that end."""

    def __init__(self, wire: Wire, fn: Function | None) -> None:
        self._wire, self._fn = wire, fn
        self._running: dict[int, _Running] = {}
        self._driver = os.getppid()
        self._die_with_me = _death_signal()
        self._strays = Strays()
        self._next_look = 0.0
        self._selector = selectors.DefaultSelector()
        self._wake, self._alarm = socket.socketpair()
        for end in (self._wake, self._alarm):
            end.setblocking(False)
        signal.set_wakeup_fd(self._alarm.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        # Who starts a server with SIGTERM ignored ends it by closing its channel.
        if signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
            signal.signal(signal.SIGTERM, lambda number, frame: self._end())
        self._selector.register(wire, selectors.EVENT_READ, self._obey)
        self._selector.register(self._wake, selectors.EVENT_READ, self._drain_alarm)

    def run(self) -> NoReturn:
        """Serve until the driver goes."""
        try:
            while os.getppid() == self._driver and not self._wire.closed:
                for key, _ in self._selector.select(self._patience()):
                    react: Callable[[], None] = key.data
                    react()
                self._enforce()
                self._reap()
                self._strays.sweep([job.pid for job in self._running.values()])
        except BaseException:
            traceback.print_exc()
        self._end()

    def _end(self) -> NoReturn:
        """Kill what runs, wait for it, and leave."""
        for job in self._running.values():
            _kill(job.pid, signal.SIGKILL)
        deadline = time.monotonic() + 1.0
        left = [job.pid for job in self._running.values()]
        while left and time.monotonic() < deadline:
            left = [pid for pid in left if not collected(pid)]
            time.sleep(0.005)
        patience = time.monotonic() + GRACE_SECONDS
        while self._strays.sweep(left, now=time.monotonic() > patience):
            if time.monotonic() > patience + 1.0:
                break
            time.sleep(0.01)
        os._exit(0)

    # --- the driver ------------------------------------------------------------------------

    def _obey(self) -> None:
        for message in self._wire.receive():
            if message["type"] == "start":
                self._start(message, self._wire.descriptors.pop(0))
            elif message["type"] == "end" and (job := self._running.get(message["id"])):
                self._terminate(job, "cancelled", message["grace"])

    def _start(self, message: Message, descriptor: int) -> None:
        folder = message["folder"]
        path = None
        if folder is not None:
            with contextlib.suppress(OSError):
                os.makedirs(folder, exist_ok=True)
            path = Path(folder) / message["log"]
        read, write = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            for end in (read, write, descriptor):
                os.close(end)
            text = f"no process could be started: {error.strerror}"
            self._wire.send({"type": "exit", "id": message["id"], "refused": text})
            return
        if pid == 0:
            self._be_child(descriptor, read, write, message["path"])
        os.close(write)
        os.close(descriptor)
        os.set_blocking(read, False)
        job = _Running(
            pid,
            read,
            CappedLog(path, message["title"]),
            time.monotonic(),
            message["timeout"],
            message["grace"],
            oom_kills(),
            message["memory"],
        )
        self._running[message["id"]] = job
        self._selector.register(read, selectors.EVENT_READ, lambda: self._read(job))
        self._wire.send({"type": "started", "id": message["id"], "pid": pid})

    def _outputs(self) -> list[int]:
        return [job.output for job in self._running.values() if job.output >= 0]

    def _be_child(self, descriptor: int, read: int, write: int, path: list[str]) -> NoReturn:
        """Turn this fork into the process of a job."""
        try:
            # A session of its own: Ctrl-C at the terminal does not reach it, and its process
            # group takes along whatever it starts.
            os.setsid()
            self._die_with_me()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((nothing, 0), (write, 1), (write, 2)):
                os.dup2(source, target)
            for end in (nothing, read, write, *self._outputs()):
                os.close(end)
            for item in (self._selector, self._wire, self._wake, self._alarm):
                item.close()
            if self._fn is None:
                os.set_inheritable(descriptor, True)
                words = command("child", descriptor, path)
                os.execv(words[0], words)  # noqa: S606 - our own interpreter
            child.run(Wire(socket.socket(fileno=descriptor)), self._fn)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    # --- the children ----------------------------------------------------------------------

    def _read(self, job: _Running) -> bool:
        """Take some output; False if there is none (now, or any more)."""
        try:
            data = os.read(job.output, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(job.output)
            os.close(job.output)
            job.output = -1
            return False
        job.log.write(data)
        return True

    def _drain_alarm(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(4096)

    def _patience(self) -> float:
        now, wait = time.monotonic(), _HEARTBEAT
        for job in self._running.values():
            if job.memory is not None:
                wait = min(wait, _LOOK)
            if job.kill_at is not None:
                wait = min(wait, job.kill_at - now)
            elif job.timeout is not None and not job.why:
                wait = min(wait, job.began + job.timeout - now)
        return max(wait, 0.0)

    def _enforce(self) -> None:
        """End those whose time is up: TERM first, KILL after a grace."""
        now = time.monotonic()
        for job in self._running.values():
            if job.timeout is not None and not job.why and now >= job.began + job.timeout:
                self._terminate(job, "timeout", job.grace)
            if job.kill_at is not None and now >= job.kill_at:
                job.kill_at = None
                _kill(job.pid, signal.SIGKILL)

        if now >= self._next_look:
            self._next_look = now + _LOOK
            for job in self._running.values():
                held = None if job.memory is None else held_above(job.pid, job.memory)
                if held is not None and not job.why:
                    job.held = held
                    self._terminate(job, "memory", 0.0)
                    _kill(job.pid, signal.SIGKILL)

    def _terminate(self, job: _Running, why: str, grace: float) -> None:
        job.why = job.why or why
        kill_at = time.monotonic() + grace
        job.kill_at = kill_at if job.kill_at is None else min(kill_at, job.kill_at)
        if grace > 0:
            _kill(job.pid, signal.SIGTERM)

    def _reap(self) -> None:
        for number, job in list(self._running.items()):
            code = _reaped(job.pid)
            if code is not None:
                self._finish(number, job, code)

    def _finish(self, number: int, job: _Running, code: int) -> None:
        del self._running[number]
        for _ in range(1000):  # a daemon that left the group may print for ever
            if job.output < 0 or not self._read(job):
                break
        if job.output >= 0:
            self._selector.unregister(job.output)
            os.close(job.output)
        job.log.close()
        killed = code == -signal.SIGKILL and not job.why
        after = oom_kills() if killed and job.oom_before is not None else None
        self._wire.send(
            {
                "type": "exit",
                "id": number,
                "code": code,
                "why": job.why,
                "held": job.held,
                "memory": job.memory,
                "oom": after is not None and after > (job.oom_before or 0),
                "tail": job.log.tail(),
                "seconds": time.monotonic() - job.began,
            }
        )


def _reaped(pid: int) -> int | None:
    """Return the exit code of a child that has ended (-n: by signal n) and end its group."""
    if hasattr(os, "waitid"):  # not on macOS before Python 3.13
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # The zombie still holds the number of its group, so only its own children are hit.
        _kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    else:
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            return None
        _kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(status)


def _kill(pid: int, number: int) -> None:
    """Signal a job's group; before it has made its group, the process alone."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    except PermissionError:
        return  # macOS says so of a group that holds only zombies


def _death_signal() -> Callable[[], Any]:
    """Return a call by which a child asks to be killed when the server dies (Linux alone)."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
