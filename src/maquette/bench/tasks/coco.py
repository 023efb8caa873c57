"""COCO's functions of mixed numbers, and of real numbers under constraints.

``mixint-F-dD-iI`` is function F of bbob-mixint: four fifths of its D variables are whole numbers,
of 2, 4, 8 and 16 values [1]. ``constrained-F-dD-iI`` is one of bbob-constrained; its metric
``violation`` is the largest of the constraints, feasible up to zero [2]. An evaluation takes a
second of simulated time.

References
----------
.. [1] T. Tušar, D. Brockhoff and N. Hansen. Mixed-Integer Benchmark Problems for Single- and
       Bi-Objective Optimization. GECCO, 2019.
.. [2] P. Dufossé, N. Hansen, D. Brockhoff, P. R. Sampaio, A. Atamna and A. Auger. Building Scalable
       Test Problems for Benchmarking Constrained Optimizers. 2022.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.task import Array, Card, Measured, Rows, Task, one_report
from maquette.objective import Objective
from maquette.space import Float, Int, Space

_TASKS = tuple(
    f"{kind}-{f}-d{d}-i{i}"
    for kind, functions, dimensions in (
        ("mixint", 24, (5, 10, 20)),
        ("constrained", 54, (2, 5, 10)),
    )
    for d in dimensions
    for f in range(1, functions + 1)
    for i in (1, 2)
)
_CARD = Card(
    source="package coco-experiment",
    licence="BSD-3-Clause",
    references=("bbob-mixint: doi:10.1145/3321707.3321868", "bbob-constrained: coco-platform.org"),
)
# Rounding makes constraints that hold with equality at the optimum miss zero by so much.
_SLACK = 1e-9


def _load(task: str) -> Task:
    kind, f, d, i = task.split("-")
    library = files.package("cocoex", "bench")
    where = f"dimensions:{d[1:]} function_indices:{f} instance_indices:{i[1:]}"
    suite = library.Suite(f"bbob-{kind}", "", where)
    problem = suite[0]
    bounded = problem.number_of_constraints > 0

    def evaluate(values: Array) -> dict[str, Array]:
        found = {"value": np.array([problem(x) for x in values], dtype=np.float64)}
        if bounded:
            worst = [float(np.max(problem.constraint(x))) - _SLACK for x in values]
            found["violation"] = np.array(worst)
        return found

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del rows, scale
        return one_report(evaluate(values), np.ones(len(values)))

    best = evaluate(_optimum(problem)[None])["value"][0]
    drawn = np.random.default_rng(0).random((4096, problem.dimension))
    typical = evaluate(_points(problem, drawn))
    inside = typical["violation"] <= 0 if bounded else np.ones(len(drawn), dtype=bool)
    # Where random search finds nothing feasible, the median of what it finds at all.
    shown = typical["value"][inside] if inside.sum() >= 20 else typical["value"]
    return Task(
        name=f"coco/{task}",
        about=f"{problem.name} of {problem.dimension} numbers",
        space=_space(problem),
        objective=Objective("value", constraints={"violation": "<= 0"} if bounded else None),
        card=_CARD,
        backend=measure,
        optimum=float(best),
        median=float(max(np.median(shown), np.nextafter(best, np.inf))),
        exact=True,
    )


def _space(problem: Any) -> Space:
    whole = problem.number_of_integer_variables
    bounds = zip(problem.lower_bounds, problem.upper_bounds, strict=True)
    return Space(
        {
            f"x{k}": Int(int(low), int(high)) if k <= whole else Float(float(low), float(high))
            for k, (low, high) in enumerate(bounds, 1)
        }
    )


def _points(problem: Any, drawn: Array) -> Array:
    low, high = np.array(problem.lower_bounds), np.array(problem.upper_bounds)
    whole = np.arange(problem.dimension) < problem.number_of_integer_variables
    spread = np.where(whole, np.floor(drawn * (high - low + 1)), drawn * (high - low))
    return np.asarray(low + spread)


def _optimum(problem: Any) -> Array:
    """Return where the optimum lies: the library tells it through a file in the working folder."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        problem._best_parameter("print")
        (file,) = Path(folder).iterdir()
        return np.array(file.read_text(encoding="utf-8").split(), dtype=np.float64)


FAMILY = Family(
    "coco",
    "functions of mixed numbers, and of real numbers under constraints",
    "function",
    _CARD,
    _TASKS,
    _load,
    ("cocoex",),
)
