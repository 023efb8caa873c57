"""What one ask and one tell cost beside a history of many trials: Maquette and Optuna.

    python benchmarks/store/asktell.py --trials 10000

Random search in a ten-dimensional mixed space. Stores are filled first; then single trials are
asked for and told, in turns between the libraries, and the medians are printed, in milliseconds by
the wall clock and by the processor time of this process. Optuna is measured where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import tempfile
import time

from spaces import SPACE, distributions, fill_maquette, fill_optuna

import maquette as mq


def maquette_step(study):
    def step():
        trial = study.ask()
        study.tell(trial, trial["x0"])

    return step


def optuna_step(study, space):
    def step():
        trial = study.ask(space)
        study.tell(trial, trial.params["x0"])

    return step


def steps(folder, n):
    """Return name to step, each on a study of n finished trials."""
    study = mq.Study("s", SPACE, searcher="random")
    while len(study.history.trials) < n:
        for trial in study.ask(1000):
            study.tell(trial, trial["x0"])
    found = {"Maquette, memory": maquette_step(study)}
    fill_maquette(f"{folder}/m.db", n)
    stored = mq.Study("s", SPACE, store=f"{folder}/m.db", searcher="random")
    found["Maquette, SQLite"] = maquette_step(stored)
    if importlib.util.find_spec("optuna"):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        space = distributions()
        memory = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(n):
            optuna_step(memory, space)()
        found["Optuna, memory"] = optuna_step(memory, space)
        fill_optuna(f"{folder}/o.db", n)
        sampler = optuna.samplers.RandomSampler(seed=0)
        rdb = optuna.load_study(study_name="s", storage=f"sqlite:///{folder}/o.db", sampler=sampler)
        found["Optuna, SQLite"] = optuna_step(rdb, space)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=300)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = steps(folder, args.trials)
        wall, cpu = ({name: [] for name in measured} for _ in range(2))
        for i in range(args.repeats):
            for name, step in measured.items():
                if name == "Optuna, SQLite" and i >= args.repeats // 5:
                    continue
                began = time.perf_counter(), time.process_time()
                step()
                wall[name].append(1e3 * (time.perf_counter() - began[0]))
                cpu[name].append(1e3 * (time.process_time() - began[1]))
        print(f"{args.trials} trials; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print("| ask and tell | median ms | 95 % | median ms of processor time |")
        print("| --- | --- | --- | --- |")
        for name, times in wall.items():
            high = sorted(times)[int(0.95 * len(times))]
            median = statistics.median(times)
            print(f"| {name} | {median:.3f} | {high:.3f} | {statistics.median(cpu[name]):.3f} |")
