"""Results as arrays: optimizers that were run on the same tasks with the same seeds, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from maquette.bench import statistics as stats
from maquette.bench.compare.plan import Plan

Array = NDArray[np.float64]
Results = Sequence[Mapping[str, Any]]

RAN = ("done", "crashed", "hung")
Steps = tuple[Array, Array]  # where a curve changes, and its values from there on

_UNITS = ("trials", "seconds", "cost")  # in the order of a curve's columns
_POINTS = 60


@final
@dataclass(frozen=True, slots=True)
class Section:
    """Optimizers on the tasks and seeds that all of them completed.

    Attributes
    ----------
    tasks, optimizers, seeds
        Names, and the number of seeds.
    regret
        Normalised regret at the end, shape (tasks, optimizers, seeds); NaN: nothing recommended.
    area
        Mean regret over the budget, same shape; regrets above 1 count as 1.
    unit
        What the budget counts: ``"trials"``, ``"seconds"`` (simulated) or ``"cost"``.
    grid
        Points of the budget, in that unit.
    curves
        Regret on that grid, shape (tasks, optimizers, seeds, points); 1 before the first.
    times
        Per target: how much of the budget the median seed spends until it reaches it, shape
        (targets, tasks, optimizers); infinity: never.
    broken
        Runs in which the optimizer crashed or hung, shape (optimizers,).
    """

    tasks: tuple[str, ...]
    optimizers: tuple[str, ...]
    seeds: int
    regret: Array
    area: Array
    unit: str
    grid: Array
    curves: Array
    times: Array
    broken: NDArray[np.int64]

    @property
    def by_task(self) -> Array:
        """Median regret over seeds, shape (tasks, optimizers); a missing one is infinite."""
        filled = np.where(np.isnan(self.regret), np.inf, self.regret)
        return np.asarray(np.median(filled, axis=2))


def gather(results: Results, plan: Plan) -> tuple[list[Section], list[tuple[str, str]]]:
    """Return the sections, the one of most tasks first, and what is incomplete, with the reason.

    A section holds the optimizers that were run on the same tasks with the same seeds 0, 1, ...
    without a gap. While a comparison is under way, those that are further on have a section of
    their own once it holds half as many seeds again; one of fewer tasks needs other optimizers.
    """
    cells = {(r["task"], r["optimizer"], r["seed"]): r for r in results}
    reached: dict[str, dict[str, int]] = {}
    left: list[tuple[str, str]] = []
    for optimizer in sorted({r["optimizer"] for r in results}):
        depth = {t: _depth(cells, t, optimizer, plan.seeds) for t in plan.suite.tasks}
        missing = [t for t, n in depth.items() if n < plan.seeds]
        if missing:
            left.append((optimizer, _why(results, optimizer, missing, plan.seeds)))
        if any(depth.values()):
            reached[optimizer] = depth
    sections: list[Section] = []
    for kind, seeds in _kinds(reached):
        members = [o for o, depth in reached.items() if all(depth[t] >= seeds for t in kind)]
        tasks = tuple(t for t in plan.suite.tasks if t in kind)
        known = [s for s in sections if set(s.tasks) >= kind and set(s.optimizers) >= set(members)]
        if all(set(s.tasks) == kind and 2 * seeds >= 3 * s.seeds for s in known):
            sections.append(_section(cells, tasks, members, plan, seeds))
    return [s for s in sections if len(s.optimizers) > 1] or sections[:1], left


def _depth(
    cells: Mapping[tuple[str, str, int], Mapping[str, Any]], task: str, optimizer: str, most: int
) -> int:
    """Return how many seeds from 0 on were run without a gap."""
    return next((s for s in range(most) if not _ran(cells.get((task, optimizer, s)))), most)


def _kinds(reached: Mapping[str, Mapping[str, int]]) -> list[tuple[frozenset[str], int]]:
    """Return sets of tasks with numbers of seeds: many tasks first, then few seeds first."""
    found = {
        (frozenset(t for t, n in depth.items() if n >= seeds), seeds)
        for depth in reached.values()
        for seeds in {n for n in depth.values() if n}
    }
    return sorted(found, key=lambda k: (-len(k[0]), k[1], sorted(k[0])))


def _ran(result: Mapping[str, Any] | None) -> bool:
    return result is not None and result["state"] in RAN


def _why(results: Results, optimizer: str, missing: Sequence[str], seeds: int) -> str:
    told = [r for r in results if r["optimizer"] == optimizer and r["task"] in missing]
    reasons = [r["message"] for r in told if r["state"] not in RAN]
    tasks = f"{len(missing)} task" + ("s" if len(missing) != 1 else "")
    if reasons:
        return f"{tasks}: {reasons[0]}"
    return f"{tasks}: {len(told)} of {len(missing) * seeds} cells are there so far"


def _section(
    cells: Mapping[tuple[str, str, int], Mapping[str, Any]],
    tasks: tuple[str, ...],
    optimizers: Sequence[str],
    plan: Plan,
    seeds: int,
) -> Section:
    rows = [[[cells[t, o, s] for s in range(seeds)] for o in optimizers] for t in tasks]
    flat = [cell for by_task in rows for runs in by_task for cell in runs]
    shape = (len(tasks), len(optimizers), seeds)
    unit, most = _budget(plan, flat)
    steps = [_steps(cell, _UNITS.index(unit)) for cell in flat]
    grid = _grid(steps, most, whole=unit == "trials")
    curves = np.array([stats.at(*step, grid, before=1.0) for step in steps])
    area = [stats.area(at, np.minimum(values, 1.0), most) for at, values in steps]
    final = np.array([_final(cell) for cell in flat]).reshape(shape)
    broken = [
        sum(c["state"] != "done" for by_task in rows for c in by_task[i])
        for i in range(len(optimizers))
    ]
    times = [_times(steps, target).reshape(shape) for target in plan.suite.targets]
    median = np.array([np.quantile(t, 0.5, axis=2, method="higher") for t in times])
    return Section(
        tasks,
        tuple(optimizers),
        seeds,
        final,
        np.array(area).reshape(shape),
        unit,
        grid,
        curves.reshape(*shape, len(grid)),
        median,
        np.array(broken),
    )


def _budget(plan: Plan, flat: Results) -> tuple[str, float]:
    """Return what the budget counts, and how much of it there is; trials go first."""
    limit = plan.suite.limit
    unit = next((u for u in _UNITS if getattr(limit, u)), "trials")
    last = max((c["curve"][-1][0] for c in flat if c["curve"]), default=1)
    return unit, float(getattr(limit, unit) or last)


def _steps(cell: Mapping[str, Any], column: int) -> Steps:
    kept = [p for p in cell["curve"] if p[0] > 0]
    values = [1.0 if p[3] is None else p[3] for p in kept]
    return np.array([p[column] for p in kept], dtype=float), np.array(values, dtype=float)


def _grid(steps: Sequence[Steps], most: float, *, whole: bool) -> Array:
    """Return where the curves are read: at all their own counts, or evenly in logarithms."""
    found = sorted({p for at, _ in steps for p in at.tolist() if 0 < p <= most} | {most})
    if whole or len(found) == 1:
        return np.array(found)
    return np.geomspace(found[0], most, _POINTS)


def _final(cell: Mapping[str, Any]) -> float:
    last = cell["curve"][-1][3] if cell["curve"] else None
    return float("nan") if last is None else float(last)


def _times(steps: Sequence[Steps], target: float) -> Array:
    """When each run first reaches a target."""
    return np.array([stats.crossing(*step, target) for step in steps])
