"""How long a study of many trials takes to open, and how much memory: Maquette and Optuna.

    python benchmarks/store/opening.py --trials 100000

Each measurement is a process of its own, files cached, modules imported before. Memory is what the
resident set has grown by after a collection. `open`: the study with all its trials counted;
`columns`: after that, configs and losses of all trials as arrays.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from spaces import SPACE, fill_maquette, fill_optuna


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class Stopwatch:
    """Prints what each stage took, and what it left in memory."""

    def __init__(self, name):
        gc.collect()
        self.name, self.at_first = name, resident()
        self.began = time.perf_counter(), time.process_time()

    def say(self, stage, n):
        wall, cpu = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        gc.collect()
        size = (resident() - self.at_first) / n
        print(f"| {self.name}, {stage} | {wall:.2f} | {cpu:.2f} | {size:.0f} |", flush=True)
        self.began = time.perf_counter(), time.process_time()


def open_maquette(path):
    import maquette as mq

    mq.Study("warm", SPACE, store=f"{path}.warm.db", searcher="random").ask()
    watch = Stopwatch("Maquette")
    history = mq.Study.load("s", path).history
    n = sum(history.counts().values())
    watch.say("open", n)
    assert history.finished.X.shape[0] == n
    watch.say("columns", n)


def open_optuna(path):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(storage=f"sqlite:///{path}.warm.db").ask()
    watch = Stopwatch("Optuna")
    n = len(optuna.load_study(study_name="s", storage=f"sqlite:///{path}").trials)
    watch.say("open", n)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--library")
    parser.add_argument("--path")
    args = parser.parse_args()
    if args.library:
        {"maquette": open_maquette, "optuna": open_optuna}[args.library](args.path)
        sys.exit()
    with tempfile.TemporaryDirectory() as folder:
        libraries = ["maquette"]
        fill_maquette(f"{folder}/maquette.db", args.trials)
        if importlib.util.find_spec("optuna"):
            libraries.append("optuna")
            fill_optuna(f"{folder}/optuna.db", args.trials)
        print(f"{args.trials} trials; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print("| | s | s of processor time | bytes a trial |")
        print("| --- | --- | --- | --- |", flush=True)
        for _ in range(args.repeats):
            for library in libraries:
                path = f"{folder}/{library}.db"
                again = [sys.executable, __file__, "--library", library, "--path", path]
                subprocess.run(again, check=True)
