"""Objectives that run in other processes, so they live in a module of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def quadratic(trial):
    return (trial["x"] - 0.3) ** 2


def slow(trial):
    time.sleep(0.4)
    return trial["x"]


def priced(trial):
    """Take a while, and cost ten."""
    time.sleep(0.05 + 0.1 * trial["x"])
    return {"loss": trial["x"], "flops": 10.0}


def inherits(trial):
    """Save weights at every step; return the sum of what the parents saved."""
    inherited = sum(float((path / "model.txt").read_text()) for path in trial.start)
    for step in range(int(trial.first_step), 4):
        with trial.checkpoint(step) as folder:
            (folder / "model.txt").write_text(str((trial.number + 1) * 10 + step))
        trial.report(step, loss=trial["x"])
    return {"loss": trial["x"], "inherited": inherited, "first": trial.first_step}


def saves_and_hangs(trial):
    """Save at 1 to 5, begin to save at 6, and never come back."""
    for step in range(1, 6):
        with trial.checkpoint(step) as folder:
            (folder / "model.txt").write_text(str(step))
    with trial.checkpoint(6) as folder:
        (folder / "model.txt").write_text("ha")
        Path(os.environ["MAQUETTE_TEST_PIDS"], "hangs").touch()
        time.sleep(60)


def says_start(trial):
    """Return what is in the checkpoint that it starts from."""
    saved = [float((path / "model.txt").read_text()) for path in trial.start]
    return {"loss": sum(saved), "first": trial.first_step}


def curve(trial):
    loss = 9.0
    for step in range(1, int(trial.until["steps"]) + 1):
        loss = trial["x"] + 1.0 / step
        if not trial.report(step, loss=loss):
            break
    return loss


def misbehave(trial):
    """Fail in the way that the trial's number says."""
    n = trial.number
    if n == 0:
        raise ValueError("no such layer")
    if n == 1:
        return float("nan")
    if n == 2:
        return "0.3"
    if n == 3:
        return None
    if n == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if n == 5:
        sys.exit(7)
    if n == 6:
        raise MemoryError
    if n == 7:
        while True:
            time.sleep(1)
    if n == 8:
        sys.stdout.write("x" * 50_000_000)
    return trial["x"]


def with_child(trial):
    """Start a grandchild that would outlive a careless executor, and note both numbers."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    folder = Path(os.environ["MAQUETTE_TEST_PIDS"])
    (folder / f"{trial.number}.pids").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(60)
    return trial["x"]


def stubborn(trial):
    """Ignore every polite request to end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return with_child(trial)


def endless(trial):
    """Run until somebody ends it, without a report."""
    while True:
        time.sleep(0.05)


def endless_first(trial):
    """Let only the first trial run for ever."""
    return endless(trial) if trial.number == 0 else trial["x"]
