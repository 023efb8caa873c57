"""Twenty runs chosen by design: six small cells of the Step Law table, nine large ones predicted.

Every method may ask for the loss of any row of the six small cells (N < 3e8, D <= 2.5e10), 12 or 20
in all, and must name learning rate and batch for the nine cells with N > 4e8:

- designed: six runs spread over the cheapest and the dearest cell, then one after another that
  which lowers the expected regret at the largest target most for its compute
  (`maquette.scaling.next_runs`), all together for less than one run of that target; fitted by the
  drift model. "any price": most at all, whatever it costs;
- random: rows at random, fitted by the drift model;
- local: each next run a step away from the best run of a cell, the cells in turn, as CARBS searches
  along the front of cost and loss; the best run of the dearest cell, copied;
- smallest: TPE (Optuna) on the cheapest cell alone, its best run copied.

`--inside` asks the same of four of the six cells, with the two of most tokens as targets: no row
outside the six is read. What is said of laws leaves out Step Law, which was fitted on this table;
"all laws" has it, as a user's own table would.

    MAQUETTE_DATA=... python benchmarks/steplaw/design.py --out FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from evaluate import MEANING, copied
from scipy.stats import qmc

from maquette.scaling import Statement, fit, literature, next_runs
from maquette.scaling.design import Price, flops
from steplaw import Cell, cells, large, load, small, take

SETTINGS, SCALE = ("lr", "bs"), ("N", "D")
COUNTS = (12, 20)
FIRST = 6
STEP = 0.8  # e-folds: how far a local step goes


def any_price(at: dict) -> float:
    """One price for all: a run is a run."""
    return 1.0


def cost(table: dict, index: Sequence[int]) -> float:
    return float(sum(6 * table["N"][i] * table["D"][i] for i in index))


def spread(table: dict, pool: list[int], count: int, seed: int) -> list[int]:
    """Rows nearest to a Sobol sequence over the middle of the settings, in two cells by turns."""
    x = np.log(np.stack([table[s][pool] for s in SETTINGS], 1))
    low, high = x.min(0), x.max(0)
    unit = 0.2 + 0.6 * qmc.Sobol(2, seed=seed).random(8)[:count]
    by_price = sorted({(table["N"][i], table["D"][i]) for i in pool}, key=lambda c: c[0] * c[1])
    chosen: list[int] = []
    for j in range(count):
        c = (by_price[0], by_price[-1])[j % 2]
        here = [
            k for k, i in enumerate(pool) if (table["N"][i], table["D"][i]) == c and i not in chosen
        ]
        want = low + unit[j] * (high - low)
        far = (((x[here] - want) / (high - low)) ** 2).sum(1)
        chosen.append(pool[here[int(np.argmin(far))]])
    return chosen


def designed(
    table: dict, pool: list[int], target: dict, seed: int, laws: Sequence[Statement], price: Price
) -> list[int]:
    chosen = spread(table, pool, FIRST, seed)
    while len(chosen) < max(COUNTS):
        model = fit(
            take(table, np.asarray(chosen)), SETTINGS, SCALE, "loss", prior_drift=list(laws)
        )
        left = [i for i in pool if i not in chosen]
        rows = [{k: float(table[k][i]) for k in (*SETTINGS, *SCALE)} for i in left]
        # All together for less than one run of the target, where that buys so many.
        least = min(map(flops, rows)) * (max(COUNTS) - len(chosen) - 1)
        left_over = 6 * target["N"] * target["D"] - cost(table, chosen) - least
        binding = price is flops and left_over >= min(map(flops, rows))
        budget = left_over if binding else math.inf
        found = next_runs(
            model,
            rows,
            target,
            price=price,
            budget=budget,
            worthwhile=False,
        ).runs[0]
        wanted = {**found.config, **found.at}
        chosen.append(
            next(i for i, r in zip(left, rows, strict=True) if all(r[k] == wanted[k] for k in r))
        )
    return chosen


def local(table: dict, pool: list[int], seed: int) -> list[int]:
    """Steps from the best run of each cell in turn; where it has none, from the best of all."""
    rng = np.random.default_rng(seed)
    every = sorted({(table["N"][i], table["D"][i]) for i in pool}, key=lambda c: c[0] * c[1])
    x = {i: np.log([table[s][i] for s in SETTINGS]) for i in pool}
    chosen = [int(rng.choice([i for i in pool if (table["N"][i], table["D"][i]) == every[0]]))]
    for j in range(1, max(COUNTS)):
        c = every[j % len(every)]
        mine = [i for i in chosen if (table["N"][i], table["D"][i]) == c]
        best = min(mine or chosen, key=lambda i: table["loss"][i])
        want = x[best] + STEP * rng.standard_normal(2)
        left = [i for i in pool if (table["N"][i], table["D"][i]) == c and i not in chosen]
        chosen.append(min(left, key=lambda i: float(((x[i] - want) ** 2).sum())))
    return chosen


def smallest(table: dict, pool: list[int], seed: int) -> list[int]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    cheapest = min(pool, key=lambda i: table["N"][i] * table["D"][i])
    c = (table["N"][cheapest], table["D"][cheapest])
    here = [i for i in pool if (table["N"][i], table["D"][i]) == c]
    x = np.log(np.stack([table[s][here] for s in SETTINGS], 1))
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    chosen = []
    for _ in range(max(COUNTS)):
        trial = study.ask()
        want = [trial.suggest_float(s, *ends) for s, ends in zip(SETTINGS, _ends(x), strict=True)]
        i = here[int(np.argmin(((x - np.asarray(want)) ** 2).sum(1)))]
        study.tell(trial, float(table["loss"][i]))
        chosen.append(i)
    return chosen


def _ends(x: np.ndarray) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in zip(x.min(0), x.max(0), strict=True)]


def by_model(table: dict, index: list[int], held: list, laws: Sequence[Statement]) -> list[dict]:
    model = fit(take(table, np.asarray(index)), SETTINGS, SCALE, "loss", prior_drift=list(laws))
    out = []
    for n, d in held:
        r = model.recipe(N=n, D=d)
        out.append({k: r.config[k] for k in SETTINGS} | {"level": r.verdict.level})
    return out


def chosen(
    table: dict, pool: list[int], target: dict, seed: int, methods: str, told_of: str
) -> dict[str, tuple[list[int], Sequence[Statement] | None]]:
    """Rows in the order in which each method asks for them, and the laws its fit is told."""
    out: dict[str, tuple[list[int], Sequence[Statement] | None]] = {}
    laws_of = {
        "none": ("", []),
        "elsewhere": (", laws", literature(without=["Step Law"], **MEANING)),
        "all": (", all laws", literature(**MEANING)),
    }
    for told, laws in (laws_of[key] for key in told_of.split("+")):
        for name, price in {"designed": flops, "designed, any price": any_price}.items():
            if name in methods.split("+"):
                out[name + told] = (designed(table, pool, target, seed, laws, price), laws)
        if "random" in methods:
            picked = np.random.default_rng(seed).choice(pool, max(COUNTS), replace=False)
            out["random" + told] = ([int(i) for i in picked], laws)
    if "local" in methods:
        out["local"] = (local(table, pool, seed), None)
    if "smallest" in methods:
        out["smallest"] = (smallest(table, pool, seed), None)
    return out


def predicted(
    table: dict, index: list[int], held: list, method: str, laws: Sequence[Statement] | None
) -> list[dict]:
    if laws is not None:
        return by_model(table, index, held, laws)
    rows = take(table, np.asarray(index))
    return (copied if method == "smallest" else from_dearest)(rows, held)


def from_dearest(rows: dict, held: list) -> list[dict]:
    """The best run of the dearest cell, unchanged."""
    dearest = max(cells(rows), key=lambda c: c[0] * c[1])
    mine = np.flatnonzero((rows["N"] == dearest[0]) & (rows["D"] == dearest[1]))
    i = mine[int(np.argmin(rows["loss"][mine]))]
    return [{s: float(rows[s][i]) for s in SETTINGS} for _ in held]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--inside", action="store_true")
    parser.add_argument("--methods", default="designed+designed, any price+random+local+smallest")
    parser.add_argument("--laws", default="none+elsewhere+all")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    table = load()
    if args.inside:
        table = take(table, np.flatnonzero(small(table)))
        every = sorted(cells(table), key=lambda c: c[1])
        known, held = every[:4], every[4:]
        pool = [i for i, c in enumerate(zip(table["N"], table["D"], strict=True)) if c in known]
    else:
        pool = [int(i) for i in np.flatnonzero(small(table))]
        held = cells(take(table, large(table)))
    largest = max(held, key=lambda c: c[0] * c[1])
    target = {"N": float(largest[0]), "D": float(largest[1])}
    scored = {c: Cell(table, *c) for c in held}
    raw = []
    for seed in range(args.seeds):
        started = time.perf_counter()
        found = chosen(table, pool, target, seed, args.methods, args.laws)
        for method, (index, laws) in found.items():
            for count in COUNTS:
                mine = index[:count]
                told = predicted(table, mine, held, method, laws)
                for c, r in zip(held, told, strict=True):
                    excess = 100 * scored[c].excess(r["lr"], r["bs"])
                    raw.append(
                        {"method": method, "runs": count, "seed": seed, "N": c[0], "D": c[1]}
                        | {"lr": r["lr"], "bs": r["bs"], "excess": excess}
                        | {"level": r.get("level", ""), "cost": cost(table, mine)}
                    )
        print(f"seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)
    summary = summarise(raw, 6 * target["N"] * target["D"])
    for line in summary:
        print(json.dumps(line), flush=True)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        name = "inside" if args.inside else "held-out"
        with (args.out / f"{name}.csv").open("w", newline="") as f:
            writer = csv.DictWriter(f, list(raw[0]))
            writer.writeheader()
            writer.writerows({k: _short(v) for k, v in r.items()} for r in raw)
        (args.out / f"{name}.json").write_text(json.dumps(summary, indent=1) + "\n")


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def summarise(raw: list[dict], target: float) -> list[dict]:
    out = []
    for count in COUNTS:
        for method in dict.fromkeys(r["method"] for r in raw):
            mine = [r for r in raw if r["method"] == method and r["runs"] == count]
            seeds = sorted({r["seed"] for r in mine})
            means = [float(np.mean([r["excess"] for r in mine if r["seed"] == s])) for s in seeds]
            costs = [next(r["cost"] for r in mine if r["seed"] == s) for s in seeds]
            out.append(
                {
                    "runs": count,
                    "method": method,
                    "mean excess % (median over seeds)": round(float(np.median(means)), 4),
                    "mean over seeds": round(float(np.mean(means)), 4),
                    "80th percentile": round(float(np.percentile(means, 80)), 4),
                    "cost of target runs": round(float(np.median(costs)) / target, 3),
                }
            )
    return out


if __name__ == "__main__":
    main()
