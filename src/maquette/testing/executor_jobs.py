"""Functions that the contract of executors runs: each does one thing that a user's might."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import numpy as np

from maquette.trial import Trial


class OutOfMemoryError(RuntimeError):
    """Named like the error of torch, which is known by its name alone."""


def number(trial: Trial) -> float:
    """Return x."""
    return float(trial["x"])


def mapping(trial: Trial) -> dict[str, Any]:
    """Return numbers of many kinds, and text that no metric is made of."""
    return {
        "loss": np.float32(0.5),
        "größe": np.int64(3),
        "array": np.array(0.25),
        "note": "kept out",
        **{f"m{i}": i for i in range(5000)},
    }


def told(trial: Trial) -> dict[str, float]:
    """Return what the trial was told, where it was told it rightly."""
    right = (
        dict(trial) == {"lr": 0.1, "name": "größe 🐘", "on": True, "n": 3, "none": None}
        and isinstance(trial["n"], int)
        and trial.scale == {"width": 64}
        and trial.until == {"steps": 81}
        and trial.instance == "a"
        and (trial.number, trial.seed, trial.first_step) == (7, 12345, 27)
        and [str(p) for p in trial.start] == ["/checkpoints/27"]
    )
    return {"loss": 0.0 if right else 1.0}


def curve(trial: Trial) -> float:
    """Report x / step at steps 1 to 5; break when told."""
    loss = math.inf
    for step in range(1, 6):
        loss = trial["x"] / step
        if not trial.report(step, loss=loss, cost=10.0 * step):
            break
    return loss


def deaf(trial: Trial) -> float:
    """Report five times and listen to no decision; return how many said go on."""
    return float(sum(bool(trial.report(step, loss=1.0)) for step in range(5)))


def curt(trial: Trial) -> float | None:
    """Return nothing when told to stop."""
    for step in range(5):
        if not trial.report(step, loss=trial["x"]):
            return None
    return 1.0


def blows_up(trial: Trial) -> float:
    """Report a NaN on the way and return x, a number or the name of one."""
    trial.report(1, loss=math.nan)
    return float(trial["x"])


def bad(trial: Trial) -> Any:
    """Fail in the way that `how` names."""
    how = trial["how"]
    results: dict[str, Any] = {
        "nothing": None,
        "text": "0.31",
        "other": {"accuracy": 0.9},
        "words": {"loss": "low"},
        "huge": 10**400,
    }
    if how in results:
        return results[how]
    if how == "report":
        trial.report(1, loss="low")
    if how == "exit":
        sys.exit(3)
    if how == "memory":
        raise MemoryError
    if how == "device":
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    if how == "unspeakable":
        raise _UnspeakableError
    raise ValueError("the learning rate is a fish")


class _UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("this error cannot be printed")


def sleep(trial: Trial) -> float:
    """Report once, then sleep for x seconds, however often woken."""
    trial.report(0, loss=1.0)
    end = time.monotonic() + trial["x"]
    while time.monotonic() < end:
        time.sleep(0.01)
    return 1.0


def saves(trial: Trial) -> float:
    """Write a checkpoint and report."""
    with trial.checkpoint(1) as folder:
        (folder / "model.txt").write_text("weights")
    trial.report(1, loss=2.0, cost=3.0)
    trial.report(2, loss=1.0, cost=6.0)
    return 1.0
