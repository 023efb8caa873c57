"""Ten splits of the Step Law table: excess, intervals and verdicts at scales held out.

Train on the k cells of least compute and predict all others, k = 4 to 12; and on six small cells to
predict nine large ones. Rivals see the same rows: the Step Law form refitted on the best run of
each cell (`bootstrap`), the same through the mean of the runs within 0.1 % of each cell's best,
lines in log N and log D through the best runs, and the best run of the smallest cell, copied.

Excess is paired by cell. Differences are bootstrapped over target cells: one cell is a target of
several splits, so that cells are drawn, not predictions. Intervals (90 %) are compared with those
of 1,000 bootstrap refits. The truth of a loss is the best measured loss of the cell; that of a
setting is the range of its grid points within 0.1 % of that: an interval that meets the range
covers it, and what lies between them counts as its miss.

    MAQUETTE_DATA=... python benchmarks/steplaw/splits.py --out FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from bootstrap import refit
from evaluate import MEANING, copied, log_linear

from maquette.scaling import Statement, fit, literature
from steplaw import Cell, cells, large, load, small, take

REFITS, RESAMPLES = 1000, 2000
NEAR = 1e-3
ALPHA = 0.1
QUANTITIES = ("loss", "lr", "bs")
RIVALS = ("step law refitted", "step law refitted, near best", "log-linear", "copied")


def maquette(rows: dict, held: list, laws: Sequence[Statement] = ()) -> list[dict]:
    model = fit(rows, settings=["lr", "bs"], scale=["N", "D"], loss="loss", prior_drift=laws)
    out = []
    for n, d in held:
        r = model.recipe(N=n, D=d)
        out.append(
            {"lr": r.config["lr"], "bs": r.config["bs"], "level": r.verdict.level}
            | {"expected": 100 * r.regret, "codes": " ".join(r.verdict.codes)}
            | {"loss low": r.loss.low, "loss high": r.loss.high}
            | {f"{s} low": r.interval[s][0] for s in ("lr", "bs")}
            | {f"{s} high": r.interval[s][1] for s in ("lr", "bs")}
        )
    return out


def step_law(rows: dict, held: list) -> list[dict]:
    """The form through the best run of each cell, with intervals of 1,000 bootstrap refits."""
    one, many = refit(rows), refit(rows, REFITS)
    out = []
    for c in held:
        best, drawn = one.at(*c), many.at(*c)
        found = {s: float(np.exp(best[s][0])) for s in ("lr", "bs")}
        for q in QUANTITIES:
            low, high = np.exp(np.percentile(drawn[q], [100 * ALPHA / 2, 100 - 100 * ALPHA / 2]))
            found |= {f"{q} low": float(low), f"{q} high": float(high)}
        out.append(found)
    return out


def near_best(rows: dict, held: list) -> list[dict]:
    """The form through the geometric mean of the runs within 0.1 % of each cell's best."""
    known = cells(rows)
    middles = []
    for n, d in known:
        here = (rows["N"] == n) & (rows["D"] == d)
        here &= rows["loss"] <= (1 + NEAR) * rows["loss"][here].min()
        middles.append([np.log(rows[s][here]).mean() for s in ("lr", "bs")])
    x, y = np.log(np.asarray(known)), np.asarray(middles)
    one = np.ones((len(x), 1))
    lr = np.linalg.lstsq(np.concatenate([one, x], 1), y[:, 0], rcond=None)[0]
    bs = np.linalg.lstsq(np.concatenate([one, x[:, 1:]], 1), y[:, 1], rcond=None)[0]
    at = [np.log(c) for c in held]
    return [
        {"lr": float(np.exp(lr[0] + lr[1:] @ z)), "bs": float(np.exp(bs[0] + bs[1] * z[1]))}
        for z in at
    ]


def truth(table: dict, c: tuple[float, float]) -> dict[str, tuple[float, float]]:
    """Range in which each quantity counts as right."""
    here = (table["N"] == c[0]) & (table["D"] == c[1])
    best = float(table["loss"][here].min())
    near = here & (table["loss"] <= (1 + NEAR) * best)
    ranges = {s: (float(table[s][near].min()), float(table[s][near].max())) for s in ("lr", "bs")}
    return ranges | {"loss": (best, best)}


def winkler(low: float, high: float, right: tuple[float, float]) -> tuple[float, bool]:
    """Interval score in log units, and whether the interval meets the truth."""
    gap = max(0.0, np.log(right[0] / high), np.log(low / right[1]))
    return float(np.log(high / low) + 2.0 / ALPHA * gap), gap == 0.0


def splits(table: dict) -> list[tuple[str, np.ndarray, list]]:
    every = sorted(cells(table), key=lambda c: c[0] * c[1])
    out = []
    for k in range(4, 13):
        known = set(every[:k])
        pick = np.flatnonzero([c in known for c in zip(table["N"], table["D"], strict=True)])
        out.append((f"least compute {k:02d}", pick, every[k:]))
    return [*out, ("six to nine", np.flatnonzero(small(table)), cells(take(table, large(table))))]


def resampled(difference: dict[tuple[float, float], list[float]], seed: int = 0) -> list[float]:
    """90 % bootstrap interval of the mean over cells' lists of differences, cells drawn."""
    rng, groups = np.random.default_rng(seed), list(difference.values())
    sums, counts = np.asarray([sum(g) for g in groups]), np.asarray([len(g) for g in groups])
    pick = rng.integers(0, len(groups), (RESAMPLES, len(groups)))
    means = sums[pick].sum(1) / counts[pick].sum(1)
    return [round(float(v), 4) for v in np.percentile(means, [5, 95])]


def excesses(raw: list[dict]) -> list[dict]:
    """Per split and over all: each method's mean, the best rival, the paired difference."""
    out = []
    for split in [*dict.fromkeys(r["split"] for r in raw), "all"]:
        mine = [r for r in raw if split in (r["split"], "all")]
        by: dict[str, dict] = {}
        for r in mine:
            by.setdefault(r["method"], {})[r["split"], r["N"], r["D"]] = r["excess"]
        line: dict = {"split": split} | {
            m: round(float(np.mean([*v.values()])), 4) for m, v in by.items()
        }
        rival = min(RIVALS, key=lambda m: np.mean([*by[m].values()]))
        line["best rival"] = rival
        for m in (m for m in by if m.startswith("maquette")):
            apart: dict = {}
            for key, value in by[m].items():
                apart.setdefault(key[1:], []).append(value - by[rival][key])
            line[f"{m} less best rival"] = round(
                float(np.mean(np.concatenate([*apart.values()]))), 4
            )
            line[f"{m} 90 %"] = resampled(apart)
        out.append(line)
    return out


def intervals(raw: list[dict]) -> list[dict]:
    out = []
    for method in dict.fromkeys(r["method"] for r in raw if "loss low" in r):
        mine = [r for r in raw if r["method"] == method]
        for q in QUANTITIES:
            out.append(
                {
                    "method": method,
                    "quantity": q,
                    "predictions": len(mine),
                    "coverage": round(float(np.mean([r[f"{q} covered"] for r in mine])), 3),
                    "mean winkler": round(float(np.mean([r[f"{q} winkler"] for r in mine])), 4),
                    "median width": round(
                        float(np.median([np.log(r[f"{q} high"] / r[f"{q} low"]) for r in mine])), 4
                    ),
                }
            )
    return out


def verdicts(raw: list[dict]) -> list[dict]:
    out = []
    for method in dict.fromkeys(r["method"] for r in raw if "level" in r):
        mine = [r for r in raw if r["method"] == method]
        trusted = [r["excess"] for r in mine if r["level"] == "trust"]
        out.append(
            {
                "method": method,
                "predictions": len(mine),
                "trust": len(trusted),
                "of those within 0.3 %": sum(e <= 0.3 for e in trusted),
            }
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inside", action="store_true", help="the six small cells alone")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    table = load()
    cases = splits(table)
    if args.inside:
        table = take(table, np.flatnonzero(small(table)))
        every = sorted(cells(table), key=lambda c: c[0] * c[1])
        rows = list(zip(table["N"], table["D"], strict=True))
        cases = [
            (f"least {k}", np.flatnonzero([c in every[:k] for c in rows]), every[k:])
            for k in (3, 4, 5)
        ]
    laws = literature(without=["Step Law"], **MEANING)
    methods = {
        "maquette": maquette,
        "maquette, laws without Step Law": lambda rows, held: maquette(rows, held, laws),
        "step law refitted": step_law,
        "step law refitted, near best": near_best,
        "log-linear": log_linear,
        "copied": copied,
    }
    raw = []
    for split, index, held in cases:
        rows = take(table, index)
        for name, method in methods.items():
            for c, r in zip(held, method(rows, held), strict=True):
                cell, right = Cell(table, *c), truth(table, c)
                line = {"split": split, "method": name, "N": c[0], "D": c[1]}
                line |= {"excess": 100 * cell.excess(r["lr"], r["bs"])} | r
                for q in QUANTITIES if "loss low" in r else ():
                    score, met = winkler(r[f"{q} low"], r[f"{q} high"], right[q])
                    line |= {f"{q} from": right[q][0], f"{q} to": right[q][1]}
                    line |= {f"{q} winkler": score, f"{q} covered": met}
                raw.append(line)
    summary = {"excess": excesses(raw), "intervals": intervals(raw), "verdicts": verdicts(raw)}
    for lines in summary.values():
        for line in lines:
            print(json.dumps(line), flush=True)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        keys = list(dict.fromkeys(k for r in raw for k in r))
        with (args.out / "splits.csv").open("w", newline="") as f:
            writer = csv.DictWriter(f, keys)
            writer.writeheader()
            writer.writerows({k: _short(v) for k, v in r.items()} for r in raw)
        (args.out / "splits.json").write_text(json.dumps(summary, indent=1) + "\n")


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


if __name__ == "__main__":
    main()
