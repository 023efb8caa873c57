"""The second gate on one model under two rules: does the best learning rate move with the width?

python benchmarks/check/gate.py -o gate.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from maquette.bench.live.planted import Case, Kind
from maquette.nn import check

WIDTHS, STEPS, SEEDS = (32, 64, 128), 100, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("gate.json"))
    o = parser.parse_args()
    found = {}
    for rule in ("auto", "sp"):
        made = check(Case(Kind()).build, WIDTHS, rule=rule, sweep=STEPS, seeds=SEEDS, steps=2)
        (gate,) = made.sweeps
        found[rule] = {**gate.to_json(), "seconds": made.seconds}
        print(rule, f"{made.seconds:.0f} s", gate)
    o.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
