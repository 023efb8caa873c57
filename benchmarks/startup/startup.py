"""How long the first word takes: `maquette --help` and `import maquette`, in fresh processes.

    python benchmarks/startup/startup.py --repeats 20

Prints the median and the extremes in milliseconds beside those of a bare interpreter, so that a
busy machine can be told from a slow command; and which heavy modules an import brings.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

HEAVY = ("torch", "sqlalchemy", "scipy.optimize", "scipy", "numpy")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import maquette": [sys.executable, "-c", "import maquette"],
    "maquette --help": [str(Path(sys.executable).with_name("maquette")), "--help"],
}


def milliseconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return 1e3 * (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    for name, command in COMMANDS.items():
        milliseconds(command)  # the first run fills the disk cache
        times = [milliseconds(command) for _ in range(repeats)]
        row = {"median": statistics.median(times), "least": min(times), "most": max(times)}
        print(name, json.dumps({k: round(v, 1) for k, v in row.items()}), flush=True)
    code = f"import sys, maquette; print([m for m in {HEAVY!r} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    print("heavy modules after import maquette:", loaded.stdout.strip())


if __name__ == "__main__":
    main()
