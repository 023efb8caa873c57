"""One driver of the fault campaign: python driver.py URL STUDY BUDGET WORKERS FOLDER [LEASE].

The objective writes a line of proof, synced to disk, as its last act before it returns; it leaves
child processes behind, some in a session of their own.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import maquette as mq
from maquette.executor import Process, open_executor
from maquette.store import new_owner
from maquette.study.settings import Settings

PROOFS = "FAULTS_PROOFS"


def objective(trial: mq.Trial) -> float:
    x, loss = float(trial["x"]), 9.0
    if trial.number % 3 == 0:
        subprocess.Popen(["sleep", "600"], start_new_session=trial.number % 2 == 0)
    for step in range(int(trial.first_step) + 1, int(trial.until["steps"]) + 1):
        time.sleep(0.01 + 0.04 * x)
        loss = (x - 0.3) ** 2 + 1.0 / step
        if step % 3 == 0 and not trial.report(step, loss=loss):
            break
    line = json.dumps({"trial": trial.number, "pid": os.getpid(), "loss": loss}).encode() + b"\n"
    proofs = os.open(os.environ[PROOFS], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(proofs, line)
    os.fsync(proofs)
    return loss


def main() -> int:
    url, name, budget, workers, folder = sys.argv[1:6]
    lease = float(sys.argv[6]) if len(sys.argv) > 6 else 2.0
    logging.basicConfig(format="%(asctime)s %(message)s")
    try:
        study = mq.Study(
            name,
            {"x": mq.Float(0.0, 1.0)},
            objective,
            store=url,
            searcher="random",
            scheduler=mq.schedule.ASHA() if name.endswith("asha") else "full",
            fidelity={"steps": (3, 9)},
        )
        limit = mq.Budget(trials=int(budget))
        settings = Settings(limit, Path(folder), retries=1000, lease=lease, turn=lease)
        executor = open_executor(Process(grace=1.0), objective, int(workers))
        study.drive(executor, settings, new_owner(), int(workers), inline=False)
    except mq.Interrupted:
        return 3
    except mq.MaquetteError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
