"""Score the drift model on synthetic tables: regret, coverage, honesty of the verdict.

python benchmarks/steplaw/synthetic.py --repeats 10 --out FILE.csv
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.scaling import families as fam

from maquette.scaling import fit

DESIGNS = ("grid", "random20", "random40", "random80", "proxies100", "many60", "nine")


def case(kind: str, design: str, seed: int) -> dict:
    rng = np.random.default_rng([seed, fam.KINDS.index(kind), DESIGNS.index(design)])
    p, a, raw = 2, 2, 1.0
    if design == "proxies100":
        p, a, raw = 4, 3, 0.15
    elif design == "many60":
        p, a, raw = 6, 4, 0.15
    w = fam.world(kind, rng, p, a, raw)
    if design == "proxies100":
        scales = fam.lattice(3)
        x, s = fam.halved(w, scales, 100, rng)
        target = np.array([0.69 * 4, 0.69 * 2, 0.69 * 3])
    elif design == "many60":
        scales = fam.lattice(4, (3, 2, 2, 2), (0.69,) * 4)
        x, s = fam.halved(w, scales, 60, rng)
        target = np.array([0.69 * 3, 0.69 * 2, 0.69 * 2, 0.69 * 2])
    elif design == "nine":
        scales = fam.lattice(2, (3, 3), (0.35, 1.1))
        x, s = fam.scattered(w, scales, 300, rng, 3.0)
        target = np.array([1.6, 2.8])
    else:
        # Two sizes, three amounts of data each; the target 3-4 times larger in both.
        scales = fam.lattice(2, (2, 3), (0.25, 0.9))
        target = np.array([1.4, 2.6])
        if design == "grid":
            x, s = fam.grid(w, scales, 10, rng)
        else:
            x, s = fam.scattered(w, scales, int(design[6:]), rng, 5.0)
    table = w.table(x, s, rng)
    started = time.perf_counter()
    model = fit(table, [f"x{j}" for j in range(p)], [f"s{i}" for i in range(a)], "loss")
    at = {f"s{i}": float(1e6 * math.exp(v)) for i, v in enumerate(target)}
    recipe = model.recipe(**at)
    seconds = time.perf_counter() - started
    best, floor = w.best(target)
    got = np.log([recipe.config[f"x{j}"] for j in range(p)])
    lows = np.log([recipe.interval[f"x{j}"][0] for j in range(p)])
    highs = np.log([recipe.interval[f"x{j}"][1] for j in range(p)])
    y = np.asarray(table["loss"])
    copy = x[int(np.nanargmin(np.where(s.sum(1) == s.sum(1).min(), y, math.nan)))]
    return {
        "kind": kind,
        "design": design,
        "seed": seed,
        "regret": 100 * (float(w.loss(got[None], target[None])[0]) / floor - 1),
        "expected": 100 * recipe.regret,
        "copied": 100 * w.excess(copy, target),
        "cover_x": float(np.mean((lows <= best) & (best <= highs))),
        "width_x": float(np.mean(highs - lows)),
        "cover_loss": float(recipe.loss.low <= floor <= recipe.loss.high),
        "width_loss": 100 * math.log(recipe.loss.high / recipe.loss.low),
        "verdict": recipe.verdict.level,
        "codes": " ".join(recipe.verdict.codes),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(fam.KINDS))
    parser.add_argument("--designs", default=",".join(DESIGNS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for design in args.designs.split(","):
        for kind in args.kinds.split(","):
            mine = [case(kind, design, args.first + i) for i in range(args.repeats)]
            rows += mine
            show(kind, design, mine)
    if args.out:
        with args.out.open("w", newline="") as f:
            writer = csv.DictWriter(f, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def show(kind: str, design: str, rows: list[dict]) -> None:
    def mid(key: str) -> float:
        return float(np.median([r[key] for r in rows]))

    def avg(key: str) -> float:
        return float(np.mean([r[key] for r in rows]))

    trust = [r for r in rows if r["verdict"] == "trust"]
    bad = sum(r["regret"] > 1.0 for r in trust)
    levels = "/".join(
        str(sum(r["verdict"] == v for r in rows)) for v in ("trust", "caution", "do-not-trust")
    )
    print(
        f"{design:10s} {kind:8s} regret med {mid('regret'):6.3f} mean {avg('regret'):6.3f} "
        f"expected med {mid('expected'):6.3f} copied {mid('copied'):6.2f} | "
        f"x cover {avg('cover_x'):.2f} width {mid('width_x'):.2f} | "
        f"loss cover {avg('cover_loss'):.2f} width {mid('width_loss'):.2f}% | "
        f"{levels} (trusted and over 1 %: {bad}) {avg('seconds'):.2f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
