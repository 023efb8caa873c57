"""How many random-search trials a second go through a study in simulated time.

    python benchmarks/simulate/speed.py

A five-dimensional mixed space, everything in memory. Chunks of trials are timed; the medians are
printed, by the wall clock and by the processor time of this process.
"""

from __future__ import annotations

import statistics
import time

import maquette as mq
from maquette.simulate import End, simulate, virtual_store

SPACE = {
    "lr": mq.Float(1e-5, 1e-1, log=True),
    "wd": mq.Float(0, 0.3),
    "dropout": mq.Float(0, 0.5),
    "layers": mq.Int(1, 8),
    "act": mq.Choice(["relu", "gelu", "silu"]),
}
CHUNKS = 20


def replayed(trial):
    return (End(trial["wd"], seconds=1.0 + trial["layers"]),)


def rates(step, n):
    """Return trials a second, by the wall clock and by processor time."""
    study = mq.Study("speed", SPACE, searcher="random", store=virtual_store())
    wall, cpu = [], []
    for k in range(CHUNKS + 1):
        began = time.perf_counter(), time.process_time()
        step(study, n, (k + 1) * n)
        wall.append(time.perf_counter() - began[0])
        cpu.append(time.process_time() - began[1])
    return [n / statistics.median(times[1:]) for times in (wall, cpu)]  # the first one imports


def asked(study, n, total):
    for trial in study.ask(n):
        study.tell(trial, trial["wd"], seconds=1.0)


def simulated(workers, **how):
    return lambda study, n, total: simulate(study, replayed, total, workers, **how)


if __name__ == "__main__":
    for name, step, n in (
        ("study.ask(1000) and tell", asked, 1000),
        ("simulate, batches of 1000", simulated(1000, synchronous=True), 1000),
        ("simulate, 1 worker", simulated(1), 300),
        ("simulate, 8 workers", simulated(8), 300),
    ):
        wall, cpu = rates(step, n)
        print(f"{name:28} {wall:8.0f} trials/s  {cpu:8.0f} trials per second of processor time")
