"""Verdicts on spoiled copies of the six small cells: none may read "trust".

Ten of them are what people bring most; of these, at least seven must read "do-not-trust" for the
right reason, named beside each. The others are variations.

MAQUETTE_DATA=... python benchmarks/steplaw/planted.py
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from evaluate import MEANING

from maquette.scaling import fit, literature
from steplaw import cells, load, small, take

TARGET = {"N": 1.07e9, "D": 5.69e10}
TEN = {  # input to the finding that tells it
    "two projects mixed": "two populations",
    "half of N times 1e9": "two populations",
    "one width only": "one value",
    "constant tokens": "one value",
    "half diverged at random": "diverged",
    "edge: no rate from the best up": "edge of range",
    "nothing but the extremes": "nothing near the best",
    "stopped runs offered as short ones": "edge of range",
    "target's N times 1e9": "extrapolation",
    "shuffled": "unexplained",
}


def planted(table: dict[str, np.ndarray], seed: int = 0) -> Iterator[tuple[str, dict, dict]]:
    rng = np.random.default_rng(seed)
    n = len(table["loss"])
    yield "healthy", table, TARGET
    yield "one width only", take(table, table["N"] < 2.3e8), TARGET
    yield "one scale only", take(table, (table["N"] < 2.3e8) & (table["D"] < 5e9)), TARGET
    best = {c: _best(table, c) for c in cells(table)}
    rows = list(zip(table["N"], table["D"], strict=True))
    lr = np.asarray([table["lr"][best[c]] for c in rows])
    bs = np.asarray([table["bs"][best[c]] for c in rows])
    yield "edge: no rate above the best", take(table, table["lr"] <= lr), TARGET
    yield "edge: no rate from the best up", take(table, table["lr"] < lr), TARGET
    yield "edge: no rate below the best", take(table, table["lr"] >= lr), TARGET
    yield "edge: no batch below the best", take(table, table["bs"] >= bs), TARGET
    yield "edge: no batch above the best", take(table, table["bs"] <= bs), TARGET
    last = table["D"] == table["D"].max()
    yield "edge: at the largest scale", take(table, (table["lr"] < lr) | ~last), TARGET
    yield "shuffled", table | {"loss": rng.permutation(table["loss"])}, TARGET
    inside = table["loss"].copy()
    for c in cells(table):
        mine = np.flatnonzero((table["N"] == c[0]) & (table["D"] == c[1]))
        inside[mine] = rng.permutation(inside[mine])
    yield "shuffled inside each scale", table | {"loss": inside}, TARGET
    dead = rng.random(n) < 0.5
    yield "half diverged at random", table | {"loss": np.where(dead, np.nan, table["loss"])}, TARGET
    high = table["lr"] > np.median(table["lr"])
    yield "upper half diverged", table | {"loss": np.where(high, np.nan, table["loss"])}, TARGET
    yield "target's D in billions", table, TARGET | {"D": 56.9}
    yield "target's N times 1e9", table, TARGET | {"N": 1.07e18}
    for name in ("N", "D", "lr", "bs", "loss"):
        mixed = np.where(rng.random(n) < 0.5, 1e9, 1.0)
        yield f"half of {name} times 1e9", table | {name: table[name] * mixed}, TARGET
    other = rng.random(n) < 0.5
    shifted = np.where(other, 16 * table["lr"], table["lr"])
    yield "two projects mixed", table | {"lr": shifted}, TARGET
    yield "constant tokens", table | {"D": np.full(n, 1e10)}, TARGET
    ends = [h for c in cells(table) for h in _extremes(table, c)]
    yield "nothing but the extremes", take(table, np.asarray(ends)), TARGET
    yield "stopped runs offered as short ones", _stopped(table), TARGET
    few = np.asarray([best[c] for c in cells(table)])
    yield "duplicated rows only", take(table, np.repeat(few, 30)), TARGET
    yield "one row, repeated", take(table, np.repeat(few[:1], 100)), TARGET
    yield "constant loss", table | {"loss": np.full(n, 2.5)}, TARGET


def _extremes(table: dict[str, np.ndarray], c: tuple[float, float]) -> np.ndarray:
    """Rows of a cell with its two lowest or two highest rates."""
    here = np.flatnonzero((table["N"] == c[0]) & (table["D"] == c[1]))
    rates = np.unique(table["lr"][here])
    low, high = table["lr"][here] <= rates[1], table["lr"][here] >= rates[-2]
    return here[low | high]


def _stopped(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The longest runs, and what a log of theirs may say at a quarter and a sixteenth: before the
    rate has decayed the loss is high, and higher rates look worse than they are."""
    long = take(table, np.flatnonzero(table["D"] > 1.5e10))
    parts = []
    for share in (1.0, 0.25, 0.0625):
        left = np.log(1 / share) / np.log(4)
        rise = 1 + 0.045 * left + 0.01 * left * np.log(long["lr"] / 2e-3)
        parts.append(long | {"D": long["D"] * share, "loss": long["loss"] * rise})
    return {k: np.concatenate([p[k] for p in parts]) for k in table}


def _best(table: dict[str, np.ndarray], c: tuple[float, float]) -> int:
    mine = (table["N"] == c[0]) & (table["D"] == c[1])
    return int(np.argmin(np.where(mine, table["loss"], np.inf)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ten", action="store_true", help="the ten alone")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    everything = load()
    table = take(everything, small(everything))
    rows, right = [], {}
    for name, spoiled, target in planted(table):
        if args.ten and name not in (*TEN, "healthy"):
            continue
        model = fit(spoiled, settings=["lr", "bs"], scale=["N", "D"], loss="loss")
        recipe = model.recipe(**target)
        laws = literature(**MEANING)
        told = fit(spoiled, ["lr", "bs"], ["N", "D"], "loss", prior_drift=laws).recipe(**target)
        levels = [recipe.verdict.level, told.verdict.level]
        reason = TEN.get(name, "")
        if reason:
            right[name] = levels[0] == "do-not-trust" and reason in recipe.verdict.codes
        codes = " ".join(recipe.verdict.codes)
        rows.append([name, *levels, codes, 100 * recipe.regret, reason])
        print(*(f"{v!s:32s}" for v in rows[-1]), flush=True)
    trusted = [r[0] for r in rows[1:] if "trust" in r[1:3]]
    print(f"of ten, {sum(right.values())} do-not-trust for the right reason; trusted: {trusted}")
    if args.out:
        with args.out.open("w", newline="") as f:
            writer = csv.writer(f)
            writer.writerow(
                ["input", "verdict", "with laws", "findings", "expected regret %", "right reason"]
            )
            writer.writerows(rows)


if __name__ == "__main__":
    main()
