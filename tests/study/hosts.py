"""A driver that takes its machine for another: python -m tests.study.hosts URL HOST FOLDER BUDGET.

It says that it is ready, and begins when it is told to.
"""

import socket
import sys
from pathlib import Path

import maquette as mq
from maquette.executor import open_executor
from maquette.store.owner import new_owner
from maquette.study.settings import Settings
from tests.study import programs


def main():
    url, host, folder, budget = sys.argv[1:]
    # An owner on another host can never be proven dead: only its lease can run out.
    socket.gethostname = lambda: host
    study = mq.Study("hosts", {"x": mq.Float(0.0, 1.0)}, store=url, searcher="random")
    print("ready", flush=True)
    sys.stdin.readline()
    settings = Settings(mq.Budget(trials=int(budget)), Path(folder) / host, lease=4.0)
    executor = open_executor("process", programs.slow, 2)
    study.drive(executor, settings, new_owner(), 2, inline=False)


if __name__ == "__main__":
    main()
