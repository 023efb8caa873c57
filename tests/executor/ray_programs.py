"""What jobs run on the clusters of tests, and a driver in a process of its own."""

import os
import sys
import time
from pathlib import Path

import maquette as mq


def slow(trial):
    """Report ten times in ten seconds."""
    return curve(trial, 1.0)


def curve(trial, pause=0.2):
    """Report ten times."""
    loss = 9.0
    for step in range(1, 11):
        time.sleep(pause)
        loss = trial["x"] + 1.0 / step
        if not trial.report(step, loss=loss):
            break
    return loss


def devices(trial):
    """Return the number of the one GPU that the job sees."""
    return float(os.environ["CUDA_VISIBLE_DEVICES"])


def place(trial):
    """Return 1 where the user's environment and working folder have come along."""
    return float(
        os.environ.get("MAQUETTE_TEST_WORD") == "fish" and Path.cwd() == Path(trial["cwd"])
    )


def study(url, fn=curve):
    return mq.Study("s", {"x": mq.Float(0.0, 1.0)}, fn, store=url, searcher="random")


def main():
    url, address, budget, workers = sys.argv[1:5]
    kind = mq.executor.Ray(address=address, patience=1.0)
    study(url).run(int(budget), workers=int(workers), executor=kind)


if __name__ == "__main__":
    main()
