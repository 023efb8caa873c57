"""At which proxy cell the next trial starts: more trials where they are cheap, some everywhere.

With trials in cell c in proportion to 1 / sqrt(price of c), spending grows with the price only as
its square root: the small cells find the valley, the large ones show how it moves. That ratio
minimises the variance of a sum of cell means at a given total price (Neyman allocation with equal
spread). Every cell gets at least a third of an equal share, so that no cell is left unseen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from maquette.history import History
from maquette.trial import State

Cell = Mapping[str, float]

# Seconds below which a measured price is the overhead of starting a trial, not its compute.
MEASURABLE = 1.0


def next_cells(history: History, n: int) -> tuple[Cell, int]:
    """Return the next cell, and how many of the next `n` trials belong there one after another.

    Where no scale is declared the cell is empty and all `n` belong to it.
    """
    if history.problem.scale is None:
        return {}, n
    cells = history.problem.scale.cells
    weights = [math.sqrt(price) for price in prices(history)]
    counts = [len(history.in_cell(cell)) for cell in cells]
    first = _pick(counts, weights)
    run = 0
    while run < n and _pick(counts, weights) == first:
        counts[first] += 1
        run += 1
    return cells[first], run


def _pick(counts: list[int], weights: list[float]) -> int:
    """Return the index of the cell that is furthest behind; the cheapest of equals."""
    floor = sum(counts) / (3 * len(counts))
    fewest = min(range(len(counts)), key=lambda c: counts[c])
    if counts[fewest] < floor:
        return fewest
    return min(range(len(counts)), key=lambda c: (counts[c] + 1) * weights[c])


def prices(history: History) -> list[float]:
    """Return the relative price of a trial in every proxy cell, cheapest cell's order kept.

    The mean cost of the trials that ran there to an end; where there is none, the product of the
    axes, in the unit of the cells that were measured. Prices are rounded to powers of two, so that
    the jitter of a clock does not change which cell comes next.
    """
    scale = history.problem.scale
    if scale is None:
        return []
    nominal = [math.prod(cell.values()) for cell in scale.cells]
    measured = [_mean_cost(history, cell) for cell in scale.cells]
    known = [c for c, cost in enumerate(measured) if cost > 0]
    if not known:
        return [_rounded(price) for price in nominal]
    unit = math.exp(sum(math.log(measured[c] / nominal[c]) for c in known) / len(known))
    return [
        _rounded(cost if cost > 0 else unit * price)
        for cost, price in zip(measured, nominal, strict=True)
    ]


def _mean_cost(history: History, cell: Cell) -> float:
    """Return the mean cost of finished trials; 0 if there is none, or it is mere overhead."""
    ended = (State.DONE, State.STOPPED)
    costs = [t.cost for t in history.in_cell(cell) if t.state in ended]
    mean = sum(costs) / len(costs) if costs else 0.0
    in_seconds = history.objective.cost is None
    return mean if math.isfinite(mean) and (not in_seconds or mean >= MEASURABLE) else 0.0


def _rounded(price: float) -> float:
    return float(2.0 ** round(math.log2(price)))
