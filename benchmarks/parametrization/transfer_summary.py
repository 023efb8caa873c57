"""The tables of a record, from what transfer.py wrote.

    python benchmarks/parametrization/transfer_summary.py transfer.jsonl

At each cell one parabola in log2 of the rate, with an offset for every seed, is fitted to the runs
within 1.6 octaves of its vertex; ± is the standard error that its residuals give, and that of a
drift combines the cell's and the base's, over the same seeds. *At the base's rate* is the mean
excess, over the least loss of the sweep, of the rate that is best at the base, interpolated. The
learned correction is `maquette.scaling.fit` on the runs of the two smallest values, with rates
given under no rule.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from fitting import Cell, standard_error, vertex

from maquette.scaling import fit

Key = tuple[str, int, int, int, int]
SQUARE_ROOT = 0.5  # Complete(d)P: lr goes as sqrt(batch / tokens)


def over(cell: Cell, seeds: set[int]) -> Cell:
    return {s: v for s, v in cell.items() if s in seeds}


def drift(cells: dict[Key, Cell], key: Key, base: Key) -> tuple[float, float, int]:
    """Octaves, standard error, seeds."""
    shared = set(cells[key]) & set(cells[base])
    a, b = over(cells[key], shared), over(cells[base], shared)
    return vertex(a) - vertex(b), math.hypot(standard_error(a), standard_error(b)), len(shared)


def excess(cell: Cell, octave: float) -> float:
    """Mean relative excess of a rate over the best of the sweep, in percent."""
    out = []
    for losses in cell.values():
        x = sorted(k for k in losses if math.isfinite(losses[k]))
        at = float(np.interp(octave, x, [losses[k] for k in x]))
        out.append(100 * (at / min(losses.values()) - 1))
    return float(np.mean(out))


def table(cells: dict[Key, Cell]) -> None:
    print(
        "| rule | width | depth | seeds | best log2 lr | drift | best loss | at the base's rate |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for key in sorted(cells, key=lambda k: (k[1], k[2], k[0])):
        rule, width, depth, tokens, batch = key
        if (tokens, batch) != (1, 1) or rule in ("none", "sde"):
            continue
        own = rule == "unit-package" or "large" in rule  # another model: a base of its own
        base: Key = (rule if own else "sp", 64, 2, 1, 1)
        moved, error, n = drift(cells, key, base)
        shown = "0" if key == base else f"{moved:+.2f} ± {error:.2f}"
        best = np.mean([min(v.values()) for v in cells[key].values()])
        name = {"sp": "all others"}.get(rule, rule) if key == base else rule
        at = vertex(over(cells[base], set(cells[key])))
        print(f"| {name} | {width} | {depth} | {n} | {vertex(cells[key]):.2f} | {shown} "
              f"| {best:.3f} | {excess(cells[key], at):.2f} % |")  # fmt: skip


def learned(cells: dict[Key, Cell], line: list[Key], axis: str, largest: int) -> float:
    """log2 of the rate at the largest value, from the runs of the two smallest."""
    rows = [
        {"lr": 2.0**octave, axis: float(key[3 if axis == "tokens" else 4]), "loss": loss}
        for key in line
        for losses in cells[key].values()
        for octave, loss in losses.items()
        if math.isfinite(loss)
    ]
    recipe = fit(rows, settings=["lr"], scale=[axis], loss="loss").recipe(**{axis: largest})
    return math.log2(recipe.config["lr"])


def horizons(cells: dict[Key, Cell]) -> None:
    print("\n| axis | rule | seeds | best at 1x, 2x, 4x, 8x | off at 8x | costs |")
    print("| --- | --- | --- | --- | --- | --- |")
    for axis, points in (("tokens", [(t, 1) for t in (1, 2, 4, 8)]),
                         ("batch", [(8, b) for b in (1, 2, 4, 8)])):  # fmt: skip
        line: list[Key] = [("none", 64, 2, t, b) for t, b in points]
        if any(k not in cells for k in line):
            continue
        n = min(len(cells[k]) for k in line)
        best = [vertex(cells[k]) for k in line]
        error = math.hypot(standard_error(cells[line[0]]), standard_error(cells[line[-1]]))
        sign = 1 if axis == "batch" else -1
        said = {
            "no rule": best[0],
            "square root": best[0] + 3 * sign * SQUARE_ROOT,
            "learned correction": learned(cells, line[:2], axis, points[-1][axis == "batch"]),
        }
        places = ", ".join(f"{b:.2f}" for b in best)
        for name, octave in said.items():
            cost = excess(cells[line[-1]], octave)
            print(f"| {axis} | {name} | {n} | {places} | {octave - best[-1]:+.2f} ± {error:.2f} "
                  f"| {cost:.2f} % |")  # fmt: skip
        whole: list[Key] = [("none" if t == 1 else "sde", 64, 2, t, b) for t, b in points]
        if all(k in cells for k in whole):
            best = [vertex(cells[k]) for k in whole]
            error = math.hypot(standard_error(cells[whole[0]]), standard_error(cells[whole[-1]]))
            n, places = min(len(cells[k]) for k in whole), ", ".join(f"{b:.2f}" for b in best)
            losses = [np.mean([min(v.values()) for v in cells[k[-1]].values()])
                      for k in ((line[-1],), (whole[-1],))]  # fmt: skip
            print(f"| {axis} | Complete(d)P, with betas, epsilon and decay | {n} | {places} "
                  f"| {best[0] - best[-1]:+.2f} ± {error:.2f} "
                  f"| {excess(cells[whole[-1]], best[0]):.2f} %; its best loss "
                  f"{losses[1]:.3f}, no rule's {losses[0]:.3f} |")  # fmt: skip


def main() -> None:
    runs = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    cells: dict[Key, Cell] = defaultdict(lambda: defaultdict(dict))
    for r in runs:
        cells[tuple(r["cell"])][r["seed"]][r["octave"]] = r["loss"]
    for key in list(cells):  # a sweep that was cut short says nothing of its best
        for seed in [s for s, v in cells[key].items() if len(v) < 5]:
            del cells[key][seed]
        if not cells[key]:
            del cells[key]
    cpu = sum(r["cpu"] for r in runs)
    loads = [r["load"] for r in runs]
    print(f"{len(runs)} runs, {cpu:.0f} CPU seconds, load {min(loads):.0f} to {max(loads):.0f}\n")
    table(cells)
    horizons(cells)


if __name__ == "__main__":
    main()
