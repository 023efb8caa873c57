"""Scores inside the training rows alone: what constants and forms were chosen by.

The six small cells (N < 3e8, D <= 2.5e10) are split again: every pair of cells is left out and
predicted from the other four; the three cells with most tokens from the other three; and 40 or 20
random runs of four cells predict the two with most tokens. No row outside the six cells is read.

    MAQUETTE_DATA=... python benchmarks/steplaw/inside.py
"""

from __future__ import annotations

import argparse
import itertools
import json

import numpy as np

from maquette.scaling import fit
from steplaw import Cell, cells, load, small, take


def predict(rows: dict[str, np.ndarray], table: dict[str, np.ndarray], held: list) -> list[dict]:
    model = fit(rows, settings=["lr", "bs"], scale=["N", "D"], loss="loss")
    out = []
    for n, d in held:
        r, cell = model.recipe(N=n, D=d), Cell(table, n, d)
        out.append(
            {
                "excess": 100 * cell.excess(r.config["lr"], r.config["bs"]),
                "expected": 100 * r.regret,
                "covered": r.loss.low <= cell.best <= r.loss.high,
                "width": 100 * (r.loss.high / r.loss.low - 1),
                "level": r.verdict.level,
            }
        )
    return out


def rows_of(table: dict[str, np.ndarray], wanted: list) -> np.ndarray:
    return np.flatnonzero([(n, d) in wanted for n, d in zip(table["N"], table["D"], strict=True)])


def splits(table: dict[str, np.ndarray], seeds: int) -> dict[str, list[tuple[np.ndarray, list]]]:
    every = cells(table)
    by_tokens = sorted(every, key=lambda c: c[1])
    pairs = [list(p) for p in itertools.combinations(every, 2)]
    out = {
        "two left out": [(rows_of(table, [c for c in every if c not in p]), p) for p in pairs],
        "most tokens": [(rows_of(table, by_tokens[:3]), by_tokens[3:])],
    }
    four = rows_of(table, by_tokens[:4])
    for count in (40, 20):
        out[f"{count} runs"] = [
            (np.sort(np.random.default_rng(seed).choice(four, count, replace=False)), by_tokens[4:])
            for seed in range(seeds)
        ]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    args = parser.parse_args()
    everything = load()
    table = take(everything, small(everything))
    for name, cases in splits(table, args.seeds).items():
        means, rows = [], []
        for index, held in cases:
            mine = predict(take(table, index), table, held)
            means.append(float(np.mean([m["excess"] for m in mine])))
            rows += mine
        print(
            json.dumps(
                {
                    "split": name,
                    "mean excess": round(float(np.mean(means)), 4),
                    "median": round(float(np.median(means)), 4),
                    "max": round(max(m["excess"] for m in rows), 3),
                    "expected": round(float(np.mean([m["expected"] for m in rows])), 4),
                    "loss coverage": round(float(np.mean([m["covered"] for m in rows])), 3),
                    "width %": round(float(np.median([m["width"] for m in rows])), 2),
                    "trust": sum(m["level"] == "trust" for m in rows),
                    "of": len(rows),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
