"""What Slurm's words for the end of a job mean.

References: squeue(1) and sacct(1), JOB STATE CODES.
"""

from __future__ import annotations

from collections.abc import Mapping

from maquette.executor.launcher import Standing
from maquette.trial import State

# A job in these states waits, runs, or will run again by itself.
_LIVING = frozenset(
    {
        "COMPLETING",
        "CONFIGURING",
        "PENDING",
        "REQUEUED",
        "REQUEUE_FED",
        "REQUEUE_HOLD",
        "RESIZING",
        "RESV_DEL_HOLD",
        "RUNNING",
        "SIGNALING",
        "SPECIAL_EXIT",
        "STAGE_OUT",
        "STOPPED",
        "SUSPENDED",
    }
)
_LOST = {
    "BOOT_FAIL": "its node did not boot",
    "LAUNCH_FAILED": "its node could not start it",
    "NODE_FAIL": "its node failed",
    "PREEMPTED": "preempted by another job",
    "RECONFIG_FAIL": "its node could not be prepared",
    "REVOKED": "it was moved to another cluster",
}
_ENDED = {
    "CANCELLED": (State.INTERRUPTED, "cancelled from outside"),
    "COMPLETED": (State.CRASHED, "it ended well and left no outcome"),
    "DEADLINE": (State.TIMEOUT, "Slurm's deadline is reached"),
    "FAILED": (State.CRASHED, "it ended before its function returned"),
    "OUT_OF_MEMORY": (State.OOM, "it used more memory than it had asked for"),
    "TIMEOUT": (State.TIMEOUT, "Slurm's time limit is reached"),
}


def standing(word: str) -> Standing:
    """Return what a state code means; ``CANCELLED by 1000`` and ``CANCELLED+`` are CANCELLED.

    A word that is not known is that of a job that lives: a newer Slurm may say more.
    """
    code = word.split(maxsplit=1)[0].rstrip("+").upper() if word.split() else ""
    if code in _LOST:
        text = f"Slurm: {code}, {_LOST[code]}"
        return Standing(State.INTERRUPTED, text, lost=True)
    if code in _ENDED:
        state, text = _ENDED[code]
        return Standing(state, f"Slurm: {word}, {text}")
    return Standing(message="" if code in _LIVING else word)


def read_states(text: str) -> Mapping[str, str]:
    """Return number to state from lines ``number|state`` of squeue or sacct; steps are left out."""
    rows = (line.strip().split("|") for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) >= 2 and row[0].isdigit()}
