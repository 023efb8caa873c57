"""LCBench: 2,000 configs of a network on 35 data sets, with learning curves of 50 epochs.

The file is one of those on figshare (``data_2k_lw.json``, ...): data set to config number to
``config``, ``log`` (tag to a list, one value an epoch) and ``results``.

References
----------
.. [1] L. Zimmer, M. Lindauer and F. Hutter. Auto-PyTorch Tabular: Multi-Fidelity MetaLearning for
       Efficient and Robust AutoDL. IEEE TPAMI, 2021. arXiv:2006.13799.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maquette.bench.loaders import pool
from maquette.bench.task import Card, Task
from maquette.errors import BenchmarkError
from maquette.objective import Objective
from maquette.space import Float, Int, Space

CARD = Card("figshare.com/projects/LCBench/74151", "Apache-2.0", ("arXiv:2006.13799",))
SPACE = Space(
    {
        "batch_size": Int(16, 512, log=True),
        "learning_rate": Float(1e-4, 1e-1, log=True),
        "momentum": Float(0.1, 0.99),
        "weight_decay": Float(1e-5, 1e-1),
        "num_layers": Int(1, 5),
        "max_units": Int(64, 1024, log=True),
        "max_dropout": Float(0.0, 1.0),
    }
)
_METRICS = {"val_accuracy": "Train/val_accuracy", "val_cross_entropy": "Train/val_cross_entropy"}


def load(path: Path | str) -> dict[str, Task]:
    """Return a task for each data set of a file, by its name.

    Raises
    ------
    BenchmarkError
        If the file is missing, truncated, or has another form.
    """
    data = pool.read_json(path)
    try:
        return {name: _task(name, list(runs.values())) for name, runs in data.items()}
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise BenchmarkError(f"{path} is no file of LCBench: {error!r}") from error


def _task(name: str, runs: Sequence[Mapping[str, Any]]) -> Task:
    length = min(len(run["log"][tag]) for run in runs for tag in (*_METRICS.values(), "time"))
    metrics = {
        ours: np.array([run["log"][tag][:length] for run in runs], dtype=np.float64)
        for ours, tag in _METRICS.items()
        if all(tag in run["log"] for run in runs)
    }
    seconds = np.array([run["log"]["time"][:length] for run in runs], dtype=np.float64)
    configs = [{key: run["config"][key] for key in SPACE} for run in runs]
    table = pool.Pool(
        configs,
        np.arange(1.0, length + 1),
        metrics,
        np.maximum.accumulate(seconds, axis=1),
    )
    objective = Objective(maximize="val_accuracy")
    return pool.task(f"lcbench/{name}", table, SPACE, objective, f"a network on {name}", CARD)
