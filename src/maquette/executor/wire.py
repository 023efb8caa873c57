"""How the driver, its server and the jobs speak: one JSON object a line, over a stream socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from maquette.executor.protocol import Outcome, Task
from maquette.fidelity import Fidelity
from maquette.objective import Objective
from maquette.trial import Action, Decision, Report, State

Message = dict[str, Any]

_CHUNK = 1 << 16


@final
class Wire:
    """Sends and receives messages; `closed` once the other side is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.closed = False
        self.descriptors: list[int] = []
        self._buffer = bytearray()
        self._searched = 0
        self._ready: list[Message] = []

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self.sock.fileno()

    def send(self, message: Mapping[str, Any], descriptor: int | None = None) -> bool:
        """Send a message, and a file descriptor with it; False if the other side is gone."""
        data = memoryview(json.dumps(message, default=_plain).encode() + b"\n")
        try:
            if descriptor is not None:
                # The descriptor rides on the first byte, so it never arrives after its message.
                socket.send_fds(self.sock, [data[:1]], [descriptor])
                data = data[1:]
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def receive(self, *, wait: bool = True) -> list[Message]:
        """Read once; return the messages that are complete now.

        With `wait=False` nothing is waited for.
        """
        if self.closed:
            return []
        flags = 0 if wait else socket.MSG_DONTWAIT
        try:
            data, descriptors, _, _ = socket.recv_fds(self.sock, _CHUNK, 16, flags)
        except BlockingIOError:
            return []
        except OSError:
            data, descriptors = b"", []
        self.descriptors += descriptors
        if not data:
            self.closed = True
        self._buffer += data
        return self._split()

    def next(self) -> Message | None:
        """Wait for one message; None if the other side is gone."""
        while not self._ready and not self.closed:
            self._ready += self.receive()
        return self._ready.pop(0) if self._ready else None

    def close(self) -> None:
        """Let go of the socket."""
        self.closed = True
        self.sock.close()

    def _split(self) -> list[Message]:
        messages = []
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            messages.append(json.loads(bytes(self._buffer[:end])))
            del self._buffer[: end + 1]
            self._searched = 0
        self._searched = len(self._buffer)
        return messages


def _plain(value: Any) -> Any:
    """Turn numpy's scalars into Python's; the rest has no place in a config."""
    item = getattr(value, "item", None)
    if item is not None and getattr(value, "ndim", None) == 0:
        return item()
    raise TypeError(f"{value!r} is not a JSON value")


def task_to_json(task: Task) -> Message:
    """Return a task as a message; `task_from_json` reads it back."""
    return {
        "trial": task.trial,
        "job": task.job,
        "config": dict(task.config),
        "until": dict(task.fidelity.until),
        "scale": dict(task.fidelity.scale),
        "instance": task.fidelity.instance,
        "objective": task.objective.to_json(),
        "seed": task.seed,
        "first_step": task.first_step,
        "start": list(task.start),
        "folder": None if task.folder is None else str(task.folder),
        "timeout": task.timeout,
        "study": task.study,
        "attempt": task.attempt,
        "checkpoints": task.checkpoints,
        "token": task.token,
        "rank": task.rank,
    }


def task_from_json(data: Message) -> Task:
    """Read what `task_to_json` wrote."""
    return Task(
        trial=data["trial"],
        job=data["job"],
        config=data["config"],
        fidelity=Fidelity(data["until"], data["scale"], data["instance"]),
        objective=Objective.from_json(data["objective"]),
        seed=data["seed"],
        first_step=data["first_step"],
        start=tuple(data["start"]),
        folder=None if data["folder"] is None else Path(data["folder"]),
        timeout=data["timeout"],
        study=data["study"],
        attempt=data["attempt"],
        checkpoints=data["checkpoints"],
        token=data["token"],
        rank=data["rank"],
    )


def report_to_json(report: Report) -> Message:
    """Return a report as a message; `report_from_json` reads it back."""
    return {
        "step": report.step,
        "metrics": dict(report.metrics),
        "cost": report.cost,
        "seconds": report.seconds,
    }


def report_from_json(data: Message) -> Report:
    """Read what `report_to_json` wrote."""
    return Report(data["step"], data["metrics"], data["cost"], data["seconds"])


def decision_to_json(decision: Decision) -> Message:
    """Return a decision as a message; `decision_from_json` reads it back."""
    return {
        "action": decision.action.value,
        "trial": decision.trial,
        "reason": decision.reason,
        "probability": decision.probability,
    }


def decision_from_json(data: Message) -> Decision:
    """Read what `decision_to_json` wrote."""
    return Decision(Action(data["action"]), data["trial"], data["reason"], data["probability"])


def outcome_to_json(outcome: Outcome) -> Message:
    """Return an outcome as a message; `outcome_from_json` reads it back."""
    return {
        "job": outcome.job,
        "state": outcome.state.value,
        "metrics": dict(outcome.metrics),
        "cost": outcome.cost,
        "seconds": outcome.seconds,
        "message": outcome.message,
        "lost": outcome.lost,
    }


def outcome_from_json(data: Message) -> Outcome:
    """Read what `outcome_to_json` wrote."""
    return Outcome(
        data["job"],
        State(data["state"]),
        data["metrics"],
        data["cost"],
        data["seconds"],
        data["message"],
        data["lost"],
    )
