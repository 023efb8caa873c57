"""Intervals of the loss on RegMix: mixtures of data at 1M and 60M parameters foretell 1B.

256 mixtures of 17 domains, each trained at 1M and at 60M parameters on 1e9 tokens; 64 others at 1B
on 2.5e10 (arXiv:2407.01492, github.com/sail-sg/regmix), read from ``$MAQUETTE_DATA/regmix``.
Settings are the shares of the domains whose mean share is at least ``--least``; the others are left
out. The rival: 1,000 bootstrap refits of log loss, linear in the shares at each size (RegMix's own
regression), drawn on to 1B as a power law of the size for each mixture.

    MAQUETTE_DATA=... python benchmarks/steplaw/regmix.py --out FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from maquette.scaling import fit

SIZES = {"1m": 1e6, "60m": 6e7, "1B": 1e9}
TOKENS = {"1m": 1e9, "60m": 1e9, "1B": 2.5e10}
REFITS, ALPHA = 1000, 0.1
LOSS = "metric/the_pile_pile_cc_val_loss"


def read(folder: Path, size: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of the domains, shares (n, 17) and losses (n,) of one size."""
    with (folder / f"test_mixture_{size}.csv").open(newline="") as f:
        shares = {r["index"]: r for r in csv.DictReader(f)}
    with (folder / f"test_pile_loss_{size}.csv").open(newline="") as f:
        losses = {r["index"]: float(r[LOSS]) for r in csv.DictReader(f)}
    both = [i for i in shares if i in losses]
    names = [n for n in next(iter(shares.values())) if n != "index"]
    x = np.asarray([[float(shares[i][n]) for n in names] for i in both])
    return names, x, np.asarray([losses[i] for i in both])


def refits(
    train: list[tuple[float, np.ndarray, np.ndarray]], x: np.ndarray, n: float
) -> np.ndarray:
    """Log losses of mixtures x (m, p) at size n in bootstrap refits (R, m)."""
    rng, per_size = np.random.default_rng(0), []
    for _, shares, loss in train:
        pick = rng.integers(0, len(loss), (REFITS, len(loss)))
        z = np.concatenate([np.ones((len(loss), 1)), shares], 1)
        # Least squares for all refits at once, with a trace of ridge: shares sum to one.
        gram = np.einsum("rni,rnj->rij", z[pick], z[pick]) + 1e-6 * np.eye(z.shape[1])
        right = np.einsum("rni,rn->ri", z[pick], np.log(loss)[pick])
        weights = np.linalg.solve(gram, right[..., None])[..., 0]
        spread = np.std(np.log(loss) - z @ weights.mean(0))
        clean = weights @ np.concatenate([np.ones((len(x), 1)), x], 1).T
        per_size.append(clean + spread * rng.standard_normal(clean.shape))
    (n0, *_), (n1, *_) = train
    slope = (per_size[1] - per_size[0]) / np.log(n1 / n0)
    return per_size[1] + slope * np.log(n / n1)


def score(low: np.ndarray, high: np.ndarray, loss: np.ndarray) -> dict[str, float]:
    gap = np.maximum(0.0, np.maximum(np.log(loss / high), np.log(low / loss)))
    return {
        "predictions": len(loss),
        "coverage": round(float(np.mean(gap == 0)), 3),
        "mean winkler": round(float(np.mean(np.log(high / low) + 2 / ALPHA * gap)), 4),
        "median width": round(float(np.median(np.log(high / low))), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least", type=float, default=0.05)
    parser.add_argument("--inside", action="store_true", help="1M alone foretells 60M")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    root = os.environ.get("MAQUETTE_DATA")
    if not root or not (folder := Path(root) / "regmix").is_dir():
        sys.exit("set MAQUETTE_DATA to the folder that holds regmix")
    names, *first = read(folder, "1m")
    kept = np.flatnonzero(first[0].mean(0) >= args.least)
    data = {s: read(folder, s)[1:] for s in SIZES}
    train = [(SIZES[s], data[s][0][:, kept], data[s][1]) for s in ("1m", "60m")]
    target = "1B"
    if args.inside:  # half of the mixtures at 60M beside those at 1M foretell the other half
        half = np.arange(len(train[1][2])) % 2 == 0
        held, loss = train[1][1][~half], train[1][2][~half]
        train[1], target = (SIZES["60m"], train[1][1][half], train[1][2][half]), "60m"
    else:
        held, loss = data["1B"][0][:, kept], data["1B"][1]
    columns = [names[k] for k in kept]
    table = {c: np.concatenate([x[:, j] for _, x, _ in train]) for j, c in enumerate(columns)}
    table["N"] = np.concatenate([np.full(len(y), n) for n, _, y in train])
    table["D"] = np.full(len(table["N"]), TOKENS["1m"])
    table["loss"] = np.concatenate([y for *_, y in train])
    started = time.process_time()
    model = fit(table, columns, ["N", "D"], "loss")
    seconds = time.process_time() - started
    at = {"N": SIZES[target], "D": TOKENS[target]}
    told = [model.predict(dict(zip(columns, row, strict=True)), **at) for row in held]
    drawn = np.exp(np.percentile(refits(train, held, SIZES[target]), [5, 50, 95], axis=0))
    ends = np.asarray([[t.low, t.high] for t in told])
    summary = {
        "settings": columns,
        "fit seconds of one core": round(seconds, 1),
        "maquette": score(ends[:, 0], ends[:, 1], loss)
        | {
            "median |error|": round(
                float(
                    np.median([abs(np.log(t.mean / y)) for t, y in zip(told, loss, strict=True)])
                ),
                4,
            )
        },
        "linear refits": score(drawn[0], drawn[2], loss)
        | {"median |error|": round(float(np.median(np.abs(np.log(drawn[1] / loss)))), 4)},
        "verdict": model.recipe(**at).verdict.level,
    }
    print(json.dumps(summary, indent=1))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "regmix.json").write_text(json.dumps(summary, indent=1) + "\n")
        with (args.out / "regmix.csv").open("w", newline="") as f:
            writer = csv.writer(f)
            writer.writerow(
                ["loss", "low", "mean", "high", "rival low", "rival mean", "rival high"]
            )
            for y, t, r in zip(loss, told, drawn.T, strict=True):
                writer.writerow([f"{v:.6g}" for v in (y, t.low, t.mean, t.high, *r)])


if __name__ == "__main__":
    main()
