"""Look long for the optimum of every surrogate task; writes best_seen.json.

    python benchmarks/tasks/best_seen.py --out src/maquette/bench/best_seen.json [TASK ...]

Tasks that are named are looked for again, others are kept as they are in the file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from maquette.bench import catalogue
from maquette.bench.known import search

FAMILIES = ("autoresearch", "regmix", "yahpo")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--size", type=int, default=2000)
    given = parser.parse_args()
    surrogates = [name for family in FAMILIES for name in catalogue.family(family).names]
    own = [name for name in surrogates if not name.endswith("/transfer")]
    names = given.tasks or [*own, "synthetic/heavy-tail"]
    found = json.loads(given.out.read_text()) if given.out.exists() else {}
    for name in names:
        task = catalogue.family(name.partition("/")[0]).load(name.partition("/")[2])
        best = search(task.losses, task.space, rounds=given.rounds, size=given.size)
        found[name] = {"optimum": best.optimum, "median": best.median}
        print(f"{name}: {best.optimum:.6g}, median {best.median:.6g}", flush=True)
        rows = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(found.items())]
        given.out.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
