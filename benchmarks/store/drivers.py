"""Several drivers on one store: nothing lost, doubled or skipped, and how long reports wait.

    python benchmarks/store/drivers.py --store sqlite
    python benchmarks/store/drivers.py --store postgresql://user@host/one
    python benchmarks/store/drivers.py --store sqlite --peer optuna

Every driver is a process with many slots, whose jobs wait and report; its searcher takes half a
second per turn. What the drivers say they did is compared with what stands in the store, and with
what a reader saw that followed the events all the while. With a peer, the same jobs run through its
storage for the same time.
"""

from __future__ import annotations

import argparse
import collections
import heapq
import json
import multiprocessing
import os
import tempfile
import time
from dataclasses import dataclass

import maquette as mq
from maquette.events import Ended, Proposed, Reported, Started
from maquette.executor.protocol import Outcome
from maquette.search import Random
from maquette.store import new_owner, open_store
from maquette.study.settings import Settings
from maquette.trial import Report, State

SPACE = {"x": mq.Float(0, 1), "lr": mq.Float(1e-5, 1e-1, log=True)}


def plan(seed):
    """Return the seconds at which a job reports, and at which it ends."""
    seconds = 1.5 + (seed % 1000) / 1000
    return [seconds / 3, 2 * seconds / 3], seconds


@dataclass(frozen=True, slots=True)
class Slow:
    """Random search that takes its time, once per turn."""

    seconds: float = 0.5

    def suggest(self, history, at, n, rng):
        time.sleep(self.seconds)
        return Random().suggest(history, at, n, rng)


class Waiting:
    """Slots whose jobs do nothing but report when it is time."""

    def __init__(self, slots):
        self.slots = slots
        self.waits = []
        self.did = []
        self._due = []

    def start(self, task):
        now = time.monotonic()
        reports, end = plan(task.seed)
        for step, second in enumerate(reports, 1):
            heapq.heappush(self._due, (now + second, task.job, task.trial, step, second))
        heapq.heappush(self._due, (now + end, task.job, task.trial, 0, end))

    def poll(self, timeout, on_report):
        deadline = time.monotonic() + timeout
        while self._due and self._due[0][0] <= deadline:
            due, job, trial, step, second = heapq.heappop(self._due)
            time.sleep(max(0.0, due - time.monotonic()))
            self.did.append((trial, job, step))
            if not step:
                return [Outcome(job, State.DONE, {"loss": second}, None, second)]
            began = time.monotonic()
            on_report(job, Report(float(step), {"loss": second}, None, second))
            self.waits.append(time.monotonic() - began)
        time.sleep(max(0.0, deadline - time.monotonic()))
        return []

    def cancel(self, job):
        self._due = [row for row in self._due if row[1] != job]

    def close(self):
        self._due.clear()


def drive(url, name, args, queue):
    executor = Waiting(args.slots)
    study = mq.Study(name, SPACE, store=url, searcher=Slow(args.turn))
    budget = mq.Budget(trials=args.trials)
    study.drive(executor, Settings(budget), new_owner(), args.slots, inline=False)
    queue.put((executor.waits, executor.did, time.process_time()))


def optuna_worker(url, name, args, until, queue):
    import threading

    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    waits, errors, lock = [], collections.Counter(), threading.Lock()

    class Sampler(optuna.samplers.RandomSampler):
        def infer_relative_search_space(self, study, trial):
            time.sleep(args.turn)
            return {}

    def objective(trial):
        trial.suggest_float("x", 0, 1)
        trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        began = time.monotonic()
        reports, end = plan(trial.number * 7919)
        for step, second in enumerate(reports, 1):
            time.sleep(max(0.0, began + second - time.monotonic()))
            before = time.monotonic()
            trial.report(second, step)
            with lock:
                waits.append(time.monotonic() - before)
        time.sleep(max(0.0, began + end - time.monotonic()))
        return end

    def work():
        study = optuna.load_study(study_name=name, storage=storage, sampler=Sampler())
        while time.time() < until:
            try:
                study.optimize(objective, n_trials=1)
            except Exception as error:
                with lock:
                    errors[type(error).__name__] += 1

    # A pool as large as the threads: the default would make them wait for a connection.
    storage = optuna.storages.RDBStorage(
        url, engine_kwargs={"pool_size": args.slots, "max_overflow": 0, "pool_timeout": 120}
    )
    threads = [threading.Thread(target=work) for _ in range(args.slots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put((waits, dict(errors)))


def quantiles(waits):
    waits = sorted(waits) or [float("nan")]
    place = [waits[min(len(waits) - 1, int(q * len(waits)))] for q in (0.5, 0.99, 0.999)]
    return [round(1e3 * value, 2) for value in (*place, waits[-1])]


def check(events, followed, did, args):
    """Return how many trials and reports were lost, doubled or skipped."""
    bodies = [event.body for event in events]
    trials = [b.trial for b in bodies if isinstance(b, Proposed)]
    ends = collections.Counter(b.trial for b in bodies if isinstance(b, Ended))
    starts = collections.Counter(b.trial for b in bodies if isinstance(b, Started))
    said = collections.Counter((t, j, s) for rows in did for t, j, s in rows)
    found = collections.Counter(
        (b.trial, b.job, int(b.step) if isinstance(b, Reported) else 0)
        for b in bodies
        if isinstance(b, Reported | Ended)
    )
    return {
        "trials": len(trials),
        "trials not ended once": sum(ends[t] != 1 for t in range(args.trials)),
        "trials not started once": sum(starts[t] != 1 for t in range(args.trials)),
        "numbers that skip": sum(e.number != i for i, e in enumerate(events, 1)),
        "trial numbers that skip": int(trials != list(range(args.trials))),
        "reports and results lost": sum((said - found).values()),
        "reports and results doubled": sum((found - said).values()),
        "events that the reader missed": sum((a, b) != (c, c) for a, b, c in followed[1]),
        "events followed": followed[0],
        "events": len(events),
    }


def follow(url, name, processes):
    """Read on while the drivers write; return how many events came, and where numbers skipped."""
    store = open_store(url, read_only=True)
    study, last, skips = store.find(name).id, 0, []
    while True:
        over = not any(process.is_alive() for process in processes)
        for event in store.read(study, last):
            if event.number != last + 1:
                skips.append((last, event.number, -1))
            last = event.number
        if over:
            store.close()
            return last, skips
        time.sleep(0.02)


def maquette_run(url, name, args):
    mq.Study(name, SPACE, store=url, searcher=Slow(args.turn)).store.close()
    queue = multiprocessing.Queue()
    began = time.monotonic()
    rows = [(url, name, args, queue) for _ in range(args.drivers)]
    processes = [multiprocessing.Process(target=drive, args=row) for row in rows]
    for process in processes:
        process.start()
    import threading

    kept = []
    reader = threading.Thread(target=lambda: kept.append(follow(url, name, processes)))
    reader.start()
    given = [queue.get() for _ in processes]
    seconds = time.monotonic() - began
    for process in processes:
        process.join()
    reader.join()
    store = open_store(url)
    events = store.read(store.find(name).id)
    store.close()
    found = check(events, kept[0], [did for _, did, _ in given], args)
    waits = [wait for row, _, _ in given for wait in row]
    found["ms of drivers' processors a trial"] = round(
        1e3 * sum(used for _, _, used in given) / found["trials"], 1
    )
    rate = found["trials"] / seconds
    return seconds, rate, quantiles(waits), found


def optuna_run(url, name, args, seconds):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=url, study_name=name)
    queue = multiprocessing.Queue()
    until = time.time() + seconds
    rows = [(url, name, args, until, queue) for _ in range(args.drivers)]
    processes = [multiprocessing.Process(target=optuna_worker, args=row) for row in rows]
    for process in processes:
        process.start()
    given = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    states = collections.Counter(trial.state.name for trial in study.trials)
    errors = sum((collections.Counter(row) for _, row in given), collections.Counter())
    waits = [wait for row, _ in given for wait in row]
    return states["COMPLETE"] / seconds, quantiles(waits), dict(states), dict(errors)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", default="sqlite", help="sqlite, or the URL of a database")
    parser.add_argument("--drivers", type=int, default=8)
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--turn", type=float, default=0.5)
    parser.add_argument("--peer", choices=["optuna"])
    parser.add_argument("--peer-store", help="a database of its own: its tables bear our names")
    parser.add_argument("--peer-seconds", type=float, help="as long as Maquette took, unless given")
    args = parser.parse_args()
    if args.peer and args.store != "sqlite" and not args.peer_store:
        parser.error("--peer needs --peer-store, the URL of a database of its own")
    multiprocessing.set_start_method("forkserver")
    name = f"drivers-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        file = args.store == "sqlite"
        url = f"sqlite:///{folder}/maquette.db" if file else args.store
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {vars(args)}", flush=True)
        seconds, rate, waits, found = maquette_run(url, name, args)
        print(f"Maquette: {seconds:.1f} s, {rate:.1f} trials/s;", end=" ")
        print(f"a report waits (median, 99 %, 99.9 %, most; ms): {waits}")
        print(json.dumps(found), flush=True)
        if args.peer:
            other = f"sqlite:///{folder}/optuna.db" if file else args.peer_store
            other = other.replace("postgresql://", "postgresql+psycopg2://")
            limit = args.peer_seconds or seconds
            rate, waits, states, errors = optuna_run(other, name, args, limit)
            print(f"Optuna: {limit:.1f} s, {rate:.1f} trials/s;", end=" ")
            print(f"a report waits (ms): {waits}; {states}; errors: {errors}")
        print(f"load {os.getloadavg()[0]:.1f} at the end")
