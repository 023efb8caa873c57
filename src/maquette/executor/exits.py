"""How a process ended, in words: what a job said of itself, and what its process says of it."""

from __future__ import annotations

import signal

from maquette.executor.memory import in_words as in_bytes
from maquette.executor.protocol import Outcome, Task
from maquette.executor.wire import Message
from maquette.trial import State


def judge_exit(task: Task, given: Outcome | None, cancelled: bool, exit_: Message) -> Outcome:
    """Return how a job ended.

    Parameters
    ----------
    given
        The outcome that the job itself sent, if it came to that.
    exit_
        What the server says of its process.
    """
    number, seconds = task.job, float(exit_.get("seconds", 0.0))
    late = task.timeout is not None and exit_.get("why") == "timeout"
    if given is not None and not (late and given.seconds > (task.timeout or 0.0)):
        return given
    if cancelled:
        return Outcome(number, State.INTERRUPTED, seconds=seconds, message="cancelled")
    if "refused" in exit_:
        return Outcome(number, State.CRASHED, message=exit_["refused"])
    tail = f"\n{exit_['tail']}" if exit_["tail"] else ""
    if late:
        text = f"took longer than {task.timeout:g} s{tail}"
        return Outcome(number, State.TIMEOUT, seconds=seconds, message=text)
    if exit_.get("why") == "memory":
        held, limit = in_bytes(exit_["held"]), in_bytes(exit_["memory"])
        text = f"held {held} of memory, and its limit is {limit}{tail}"
        return Outcome(number, State.OOM, seconds=seconds, message=text)
    code = exit_["code"]
    if exit_["oom"]:
        text = f"killed by the kernel: this memory cgroup ran out of memory{tail}"
        return Outcome(number, State.OOM, seconds=seconds, message=text)
    if code == -signal.SIGKILL:
        text = f"killed by the system (SIGKILL); most likely out of memory{tail}"
    elif code < 0:
        text = f"killed by {in_words(code)}{tail}"
    else:
        text = f"the process ended by itself ({in_words(code)}) before the function returned{tail}"
    return Outcome(number, State.CRASHED, seconds=seconds, message=text)


def in_words(code: int) -> str:
    """Return an exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
