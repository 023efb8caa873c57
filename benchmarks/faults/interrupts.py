"""Ctrl-C at random moments of `maquette run` with four workers.

    python benchmarks/faults/interrupts.py --moments 200 --seed 1 --out build/faults/interrupts

Each time the same command is started and, after a random while, gets one, two or three SIGINTs (a
real process group, as at a terminal). 5 s after its end nothing of it may run, and no trial may
stand as running; the command that follows resumes, and the last one, left alone, completes.
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
from pathlib import Path

from processes import MARK, marked, words

import maquette as mq

STUDY = """
import subprocess, time
import maquette as mq

def fn(trial):
    if trial.number % 3 == 0:
        subprocess.Popen(["sleep", "600"], start_new_session=trial.number % 2 == 0)
    for step in range(5):
        time.sleep(0.05 + 0.1 * trial["x"])
        trial.report(step, loss=trial["x"])
    return trial["x"]

study = mq.Study("c", {"x": mq.Float(0.0, 1.0)}, fn, searcher="random")
"""
ORPHAN_SECONDS = 5.0


def command(place: Path, mark: str, trials: int) -> subprocess.Popen:
    words_ = [sys.executable, "-m", "maquette", "run", "study.py", "--workers", "4"]
    with open(place / "stderr.txt", "ab") as errors:
        return subprocess.Popen(
            [*words_, "--budget", f"trials={trials}", "--store", "sqlite:///c.db"],
            cwd=place,
            env={**os.environ, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )


def check(place: Path, mark: str, wrong: list[str]) -> None:
    """Nothing runs on after a while, and the store says that nothing runs."""
    ended = time.monotonic()
    while marked(mark) and time.monotonic() < ended + ORPHAN_SECONDS:
        time.sleep(0.05)
    for pid in marked(mark):
        wrong.append(f"{mark}: orphan {words(pid)}")
        os.kill(pid, signal.SIGKILL)


def running(place: Path) -> int:
    try:
        return mq.Study.load("c", f"sqlite:///{place}/c.db").history.counts().get("running", 0)
    except mq.MaquetteError:
        return 0  # interrupted before the study was made


def strike(process: subprocess.Popen, mark: str, draw: random.Random) -> int:
    """Send one, two or three SIGINTs to the process group; return how many it lived to get."""
    if draw.random() < 0.8:  # while trials run; else while it starts
        while len(marked(mark)) < 4 and process.poll() is None:
            time.sleep(0.02)
    time.sleep(draw.uniform(0.0, 1.5))
    sent = 0
    for _ in range(draw.choice((1, 2, 3))):
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGINT)
        sent += 1
        time.sleep(draw.uniform(0.0, 0.4))
    return sent


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    # A shell starts what runs in its background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place = given.out.resolve()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (place / "study.py").write_text(STUDY)
    draw, wrong = random.Random(given.seed), []
    exits, signals, left_running = Counter(), Counter(), 0
    began = time.monotonic()
    moments = 0
    with open(place / "log.jsonl", "w") as log:
        while moments < given.moments:
            mark = f"{os.getpid()}-{moments}"
            process = command(place, mark, 10**6)
            sent = strike(process, mark, draw)
            try:
                code = process.wait(60)
            except subprocess.TimeoutExpired:
                wrong.append(f"{mark}: it did not end within 60 s of {sent} signals")
                process.kill()
                code = process.wait()
            check(place, mark, wrong)
            rows = running(place)
            # The third signal leaves at once: the next run requeues its trials.
            if rows and sent < 3 and code == 3:
                wrong.append(f"{mark}: {rows} trials stand as running after {sent} signals")
            left_running += rows
            moments, exits[code], signals[sent] = moments + 1, exits[code] + 1, signals[sent] + 1
            log.write(
                json.dumps({"n": moments, "signals": sent, "exit": code, "rows": rows}) + "\n"
            )
            log.flush()
    trials = len(mq.Study.load("c", f"sqlite:///{place}/c.db").trials)
    code = command(place, f"{os.getpid()}-last", trials + 4).wait(600)
    counts = mq.Study.load("c", f"sqlite:///{place}/c.db").history.counts()
    if code or set(counts) != {"done"}:
        wrong.append(f"the last run ended with {code}, and trials are {counts}")
    check(place, f"{os.getpid()}-last", wrong)
    summary = {
        "moments": moments,
        "seed": given.seed,
        "seconds": round(time.monotonic() - began),
        "signals": {str(k): v for k, v in sorted(signals.items())},
        "exit codes": {str(k): v for k, v in sorted(exits.items())},
        "rows left to the next run by a third signal": left_running,
        "trials": counts,
        "wrong": wrong,
    }
    (place / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
