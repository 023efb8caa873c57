"""A few tasks of a comparison that stand for all of them, as a suite of their own.

Each task is a point: the regrets that the optimizers reached on it. The tasks are chosen so that
their points spread like all points do, by star discrepancy; see
`maquette.bench.statistics.representative`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from maquette.bench import statistics as stats
from maquette.bench.compare import results
from maquette.bench.compare.plan import reopen
from maquette.bench.compare.suite import Suite
from maquette.bench.report.section import Section, gather
from maquette.errors import BenchmarkError

_RANDOM = 500  # subsets of the same size, to compare with


@final
@dataclass(frozen=True, slots=True)
class Subset:
    """Chosen tasks.

    Attributes
    ----------
    suite
        The comparison's suite with the chosen tasks alone.
    section
        What the choice rests on.
    discrepancy
        Star discrepancy of the chosen tasks to all.
    random
        That of random subsets of the same size, sorted.
    """

    suite: Suite
    section: Section
    discrepancy: float
    random: tuple[float, ...]

    @property
    def beaten(self) -> float:
        """The share of random subsets that stand for all tasks less well."""
        return float(np.mean([self.discrepancy < d for d in self.random]))


def choose(folder: Path, size: int, *, name: str = "subset", seed: int = 0) -> Subset:
    """Choose tasks of a comparison.

    Parameters
    ----------
    folder
        Its results: a few fast optimizers on all tasks, with a few seeds.
    size
        How many tasks to choose.
    name
        Of the new suite.
    seed
        Of the search; equal results and seeds give equal choices.

    Raises
    ------
    BenchmarkError
        If the folder holds no comparison, or fewer tasks than are to be chosen.
    """
    plan = reopen(folder)
    sections, _ = gather(results.read(folder), plan)
    if not sections:
        raise BenchmarkError(f"{folder}: no optimizer has run on any task yet")
    section = sections[0]
    if size > len(section.tasks):
        raise BenchmarkError(
            f"{folder}: cannot choose {size} of {len(section.tasks)} tasks",
            hint="that is how many all optimizers have been run on so far",
        )
    points = np.where(np.isfinite(section.by_task), section.by_task, 1.0)
    chosen = stats.representative(points, size, seed=seed)
    tasks = tuple(section.tasks[i] for i in chosen)
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(len(points), size, replace=False) for _ in range(_RANDOM)]
    return Subset(
        Suite(name, _about(section, plan.suite, size), tasks, **_rest(plan.suite)),
        section,
        stats.star_discrepancy(points, chosen),
        tuple(sorted(stats.star_discrepancies(points, drawn))),
    )


def as_toml(suite: Suite) -> str:
    """Return a suite as a file that ``--suite FILE.toml`` reads."""
    rows = "".join(f"  {json.dumps(task)},\n" for task in suite.tasks)
    budget = ", ".join(f"{k} = {v:g}" for k, v in suite.budget.items())
    lines = [
        f"about = {json.dumps(suite.about, ensure_ascii=False)}",
        f"tasks = [\n{rows}]",
        f"budget = {{ {budget} }}",
        *(f"{k} = {getattr(suite, k)}" for k in ("workers", "initial", "warm")),
        f"proxies = {json.dumps(suite.proxies)}",
        f"targets = {json.dumps(suite.targets)}",
    ]
    return "\n".join(lines) + "\n"


def _about(section: Section, suite: Suite, size: int) -> str:
    return (
        f"{size} of the {len(section.tasks)} tasks of {suite.name}, chosen by star discrepancy of "
        f"the regrets of {', '.join(section.optimizers)}"
    )


def _rest(suite: Suite) -> Mapping[str, Any]:
    kept = ("budget", "workers", "initial", "warm", "proxies", "targets")
    return {k: getattr(suite, k) for k in kept}
