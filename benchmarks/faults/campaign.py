"""The fault campaign: real drivers, real faults at random moments, and what must hold after each.

    python benchmarks/faults/campaign.py --store sqlite --faults 500 --seed 1 --out build/faults

Needs Linux, root (a small tmpfs is mounted as the disk that gets full) and, for PostgreSQL, its
server programs. Three drivers with two workers each run one study after another on one store; a
driver that ends before its study is started again, as its user would. After each fault the events
that were seen before must still be there, and 5 s after a driver's end nothing of it may run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from driver import PROOFS
from places import FULL_SECONDS, PLACES
from processes import MARK, children, marked, words

import maquette as mq
from maquette.events import Ended, Event
from maquette.store import open_store

DRIVERS, WORKERS, LEASE = 3, 2, 2.0
STOPPED_SECONDS, ORPHAN_SECONDS, END_SECONDS = 3.0, 5.0, 120.0
DRIVER_FAULTS = ("kill", "term", "int", "stop")
JOB_FAULTS = ("job kill", "job term", "job stop", "server kill")


@dataclass
class Running:
    """One driver process; `mark` is in the environment of all that it starts."""

    process: subprocess.Popen
    mark: str


@dataclass
class Round:
    """One study under fire."""

    store: object
    name: str
    trials: int
    faults: int
    place: Path
    draw: random.Random
    log: Callable[..., None]
    drivers: list[Running] = field(default_factory=list)
    ended: list[tuple[str, float]] = field(default_factory=list)
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    hit: set[int] = field(default_factory=set)
    seen: dict[int, Event] = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)
    exits: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    started: int = 0

    # --- drivers ---------------------------------------------------------------------------

    def begin(self) -> Running:
        self.started += 1
        mark = f"{os.getpid()}-{self.name}-{self.started}"
        folder = self.store.disk.place / self.name
        arguments = [self.store.url, self.name, str(self.trials), str(WORKERS), str(folder)]
        program = [sys.executable, str(Path(__file__).with_name("driver.py")), *arguments]
        with open(self.place / f"{self.name}.stderr", "ab") as errors:
            process = subprocess.Popen(
                [*program, str(LEASE)],
                env={**os.environ, MARK: mark, PROOFS: str(self.place / f"{self.name}.proofs")},
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        return Running(process, mark)

    def collect(self) -> bool:
        """Take ended drivers off the list; whether the study has come to its end."""
        for driver in [d for d in self.drivers if d.process.poll() is not None]:
            self.drivers.remove(driver)
            self.ended.append((driver.mark, time.monotonic()))
            self.exits[driver.process.returncode] += 1
        return self.exits[0] > 0

    def check_orphans(self, *, wait: bool = False) -> None:
        for mark, when in list(self.ended):
            left = ORPHAN_SECONDS - (time.monotonic() - when)
            if left > 0 and not wait:
                continue
            while left > 0 and marked(mark):
                time.sleep(0.05)
                left = ORPHAN_SECONDS - (time.monotonic() - when)
            self.ended.remove((mark, when))
            for pid in marked(mark):
                self.wrong.append(f"orphan of {mark}: {words(pid)}")
                os.kill(pid, signal.SIGKILL)

    # --- faults ----------------------------------------------------------------------------

    def strike(self) -> None:
        """Do one thing that goes wrong in the world."""
        driver = self.draw.choice(self.drivers)
        if self.draw.random() < 0.85:  # one that runs jobs; the others are hit while they start
            driver = self.busy()
        if driver is None:
            return
        kind = self.draw.choice(DRIVER_FAULTS + JOB_FAULTS + self.store.faults)
        if kind in self.store.faults:
            end = self.store.strike(kind)
            if end is None:
                return
            self.later.append((time.monotonic() + FULL_SECONDS, end))
        elif kind in DRIVER_FAULTS:
            self.signal(driver.process.pid, kind)
        else:
            servers = children(driver.process.pid, marked(driver.mark))
            targets = servers
            if kind != "server kill":
                targets = [job for s in servers for job in children(s, marked(driver.mark))]
            if not targets:
                return
            target = self.draw.choice(targets)
            self.hit.add(target)
            self.signal(target, kind.split()[-1])
        self.counts[kind] += 1
        self.log(round=self.name, fault=kind, n=sum(self.counts.values()))

    def busy(self) -> Running | None:
        """Return a driver that runs jobs; None if there is none yet."""
        found = []
        for driver in self.drivers:
            own = marked(driver.mark)
            if any(children(s, own) for s in children(driver.process.pid, own)):
                found.append(driver)
        return self.draw.choice(found) if found else None

    def signal(self, pid: int, kind: str) -> None:
        names = {"kill": "SIGKILL", "term": "SIGTERM", "int": "SIGINT", "stop": "SIGSTOP"}

        def send(number: int) -> None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return

        send(getattr(signal, names[kind]))
        if kind == "stop":
            wake = lambda: send(signal.SIGCONT)  # noqa: E731
            self.later.append((time.monotonic() + STOPPED_SECONDS, wake))

    def mend(self, *, everything: bool = False) -> None:
        """End the faults whose time is over."""
        now = time.monotonic()
        due = [item for item in self.later if everything or item[0] <= now]
        self.later = [item for item in self.later if item not in due]
        for _, end in due:
            end()

    # --- the run ---------------------------------------------------------------------------

    def run(self) -> None:
        try:
            self.go()
        finally:
            for pid in (p for d in self.drivers for p in marked(d.mark)):
                os.kill(pid, signal.SIGKILL)

    def go(self) -> None:
        over = False
        while not over and sum(self.counts.values()) < self.faults:
            while len(self.drivers) < DRIVERS:
                self.drivers.append(self.begin())
            time.sleep(self.draw.uniform(0.05, 0.5))
            self.mend()
            over = self.collect()
            if self.drivers and not over:
                self.strike()
            self.check_orphans()
            self.look()
        self.mend(everything=True)
        self.finish()
        self.look(patient=True)
        self.judge()

    def finish(self) -> None:
        """With no more faults the study must come to its end."""
        deadline = time.monotonic() + END_SECONDS
        while self.drivers or not self.exits[0]:
            if not self.drivers:
                self.drivers.append(self.begin())
            if time.monotonic() > deadline:
                self.wrong.append(f"the study did not end within {END_SECONDS:g} s")
                for driver in self.drivers:
                    driver.process.kill()
                    driver.process.wait()
            time.sleep(0.05)
            self.collect()
            if time.monotonic() > deadline:
                break
        self.check_orphans(wait=True)

    def look(self, *, patient: bool = False) -> None:
        """Read what the store holds; what was there before must not have changed."""
        for _ in range(100 if patient else 1):
            try:
                store = open_store(self.store.url, read_only=True)
                try:
                    study = store.find(self.name)
                    events = store.read(study.id, 0 if patient else len(self.seen))
                finally:
                    store.close()
            except mq.MaquetteError:
                time.sleep(0.1 * patient)
                continue
            for event in events:
                if self.seen.setdefault(event.number, event) != event:
                    self.wrong.append(f"event {event.number} has changed")
            return

    # --- what must hold --------------------------------------------------------------------

    def judge(self) -> None:
        events = [self.seen[n] for n in sorted(self.seen)]
        if [e.number for e in events] != list(range(1, len(events) + 1)):
            self.wrong.append("event numbers have gaps")
        ends = Counter(e.body.job for e in events if isinstance(e.body, Ended))
        self.wrong += [f"job {job} ended {n} times" for job, n in ends.items() if n > 1]
        trials = mq.Study.load(self.name, self.store.url).trials
        if len(trials) != self.trials:
            self.wrong.append(f"{len(trials)} trials, not {self.trials}")
        open_ = [t.number for t in trials if t.state in ("queued", "running")]
        if open_:
            self.wrong.append(f"trials {open_} are not over")
        self.compare(trials)
        self.counts["trials"] = len(trials)

    def compare(self, trials: list) -> None:
        """Set the objective's own lines of proof against the store."""
        lines = (self.place / f"{self.name}.proofs").read_text().splitlines()
        proofs = [json.loads(line) for line in lines]
        proved = {(p["trial"], p["loss"]) for p in proofs}
        for trial in trials:
            if trial.state == "done" and (trial.number, trial.losses[-1]) not in proved:
                if (trial.number, trial.loss) not in proved:
                    self.wrong.append(f"trial {trial.number} is done and was never finished")
            elif trial.state == "crashed":
                own = [p for p in proofs if p["trial"] == trial.number]
                if own and not any(p["pid"] in self.hit for p in own):
                    self.wrong.append(f"trial {trial.number} was finished and is lost")
                self.counts["killed in its last act"] += bool(own)
        self.counts["proofs"] = len(proofs)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=PLACES, required=True)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--per-study", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    # A shell starts what runs in its background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place = given.out / given.store
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    draw, total, wrong = random.Random(given.seed), Counter(), []
    exits: Counter = Counter()
    store = PLACES[given.store](place / "disk")
    began = time.monotonic()
    with open(place / "log.jsonl", "w") as log:

        def write(**row: object) -> None:
            log.write(json.dumps({"at": round(time.monotonic() - began, 3), **row}) + "\n")
            log.flush()

        try:
            studies = 0
            done = 0
            while done < given.faults:
                faults = min(given.per_study, given.faults - done)
                name = f"s{studies:02d}-{'asha' if studies % 2 else 'full'}"
                studies += 1
                one = Round(store, name, 5 * faults, faults, place, draw, write)
                one.run()
                keys = set(DRIVER_FAULTS + JOB_FAULTS + store.faults)
                done += sum(n for k, n in one.counts.items() if k in keys)
                total += one.counts
                exits += one.exits
                wrong += [f"{name}: {text}" for text in one.wrong]
                write(round=name, counts=one.counts, exits=one.exits, wrong=one.wrong)
                shutil.rmtree(store.disk.place / name, ignore_errors=True)
        finally:
            store.close()
    summary = {
        "store": given.store,
        "seed": given.seed,
        "faults": done,
        "studies": studies,
        "seconds": round(time.monotonic() - began),
        "counts": dict(sorted(total.items())),
        "exit codes of drivers": {str(k): v for k, v in sorted(exits.items())},
        "wrong": wrong,
    }
    (place / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
