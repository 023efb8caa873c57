"""Add what is missing to the records of tuners, and report on them.

python benchmarks/leaderboard/run.py                      # all of them: hours
python benchmarks/leaderboard/run.py fast                 # one of them
python benchmarks/leaderboard/run.py fast --again auto    # our search has changed: anew

Packed results count as run, so nothing is run twice; new ones lie in cells/ beside them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RECORDS = HERE.parent / "records"
BASE = ("random", "sobol", "optuna/tpe", "optuna/cma")
FAST = (*BASE, "hyperopt/tpe", "nevergrad/ngopt", "flaml/blendsearch", "syne-tune/kde")
SLOW = ("random", "optuna/tpe", "auto", "optuna/gp", "smac/forest", "botorch/logei", "ax/default")
# Name to suite, record, optimizers and seeds.
COMPARISONS = {
    "fast": ("fast.toml", "2026-11-21-leaderboard", ("auto", "tpe", "cmaes", *FAST), 20),
    "slow": ("slow.toml", "2026-11-21-slow-tuners", (*SLOW, "hebo/hebo"), 10),
    "scales": (
        "steplaw",
        "2026-11-21-scales",
        ("random", "auto", "optuna/tpe", "optuna/gp", "designed+proxies"),
        5,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPARISONS))
    parser.add_argument("--again", default="", help="optimizers to run anew")
    parser.add_argument("--workers", default="1", help="processes")
    given = parser.parse_args()
    if unknown := set(given.names) - set(COMPARISONS):
        parser.error(f"unknown comparison {', '.join(sorted(unknown))}")
    for name in given.names or COMPARISONS:
        suite, record, optimizers, seeds = COMPARISONS[name]
        where = str(HERE / suite) if suite.endswith(".toml") else suite
        folder = str(RECORDS / record)
        options = ["--suite", where, "--optimizers", ",".join(optimizers), "--seeds", str(seeds)]
        anew = ["--again", given.again] if given.again else []
        bench("run", *options, "--workers", given.workers, *anew, "--out", folder)
        bench("report", folder)


def bench(*arguments: str) -> None:
    command = [sys.executable, "-m", "maquette", "bench", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
