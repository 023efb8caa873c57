"""IOHprofiler's functions: BBOB, 24 functions of real numbers, and PBO, functions of bits.

``bbob-F-dD-iI`` is function F in D dimensions, instance I; the values are those of COCO's bbob [1].
``pbo-F-dD`` is a function of D bits, maximised [2]. Functions whose optimum is not known, or is
reached by equal bits, are left out. An evaluation takes a second of simulated time.

References
----------
.. [1] N. Hansen, S. Finck, R. Ros and A. Auger. Real-Parameter Black-Box Optimization Benchmarking
       2009: Noiseless Functions Definitions. INRIA RR-6829, 2009.
.. [2] C. Doerr, F. Ye, N. Horesh, H. Wang, O. M. Shir and T. Bäck. Benchmarking Discrete
       Optimization Heuristics with IOHprofiler. Applied Soft Computing 88, 2020.
       arXiv:1912.09237.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.task import Array, Card, Measured, Rows, Task, one_report
from maquette.objective import Objective
from maquette.space import Choice, Float, Space

_BBOB = tuple(
    f"bbob-{f}-d{d}-i{i}" for d in (2, 5, 10, 20) for f in range(1, 25) for i in range(1, 4)
)
_BITS = (1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 17, 22, 23)
_PBO = tuple(f"pbo-{f}-d{d}" for d in (16, 64) for f in _BITS)
_CARD = Card(
    source="package ioh",
    licence="BSD-3-Clause",
    references=("INRIA RR-6829", "arXiv:1912.09237"),
)


def _load(task: str) -> Task:
    kind, number, *rest = task.split("-")
    dimension = int(rest[0][1:])
    instance = int(rest[1][1:]) if len(rest) > 1 else 1
    library = files.package("ioh", "bench")
    classes = library.ProblemClass
    problem = library.get_problem(
        int(number),
        instance=instance,
        dimension=dimension,
        problem_class=classes.BBOB if kind == "bbob" else classes.PBO,
    )
    real = kind == "bbob"

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del rows, scale
        found = _evaluate(problem, values, real)
        return one_report({"value": found}, np.ones(len(found)))

    one = Float(-5.0, 5.0) if real else Choice([0, 1])
    drawn = np.random.default_rng(0).random((4096, dimension))
    typical = _evaluate(problem, 10 * drawn - 5 if real else np.round(drawn), real)
    sign = 1.0 if real else -1.0
    return Task(
        name=f"ioh/{task}",
        about=f"{problem.meta_data.name} of {dimension} {'numbers' if real else 'bits'}",
        space=Space({f"x{k}": one for k in range(1, dimension + 1)}),
        objective=Objective("value") if real else Objective(maximize="value"),
        card=_CARD,
        backend=measure,
        optimum=sign * float(problem.optimum.y),
        median=sign * float(np.median(typical)),
        exact=True,
    )


def _evaluate(problem: Any, values: Array, real: bool) -> Array:
    points = values if real else values.astype(np.int32)
    return np.array([problem(x) for x in points], dtype=np.float64)


FAMILY = Family(
    "ioh", "functions of real numbers and of bits", "function", _CARD, _BBOB + _PBO, _load, ("ioh",)
)
