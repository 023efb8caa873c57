"""TabRepo: results of 1,310 models on 200 data sets, three folds each.

A file of results (CSV or parquet) has the columns ``dataset``, ``fold``, ``framework`` (the model
and its settings, by name), ``metric_error`` (test), ``metric_error_val`` and ``time_train_s``. A
config is the name; its rows are the folds.

References
----------
.. [1] D. Salinas and N. Erickson. TabRepo: A Large Scale Repository of Tabular Model Evaluations
       and its AutoML Applications. AutoML-Conf, 2024. arXiv:2311.02971.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maquette.bench import files
from maquette.bench.loaders import pool
from maquette.bench.task import Card, Task
from maquette.errors import BenchmarkError
from maquette.objective import Objective
from maquette.space import Choice, Space

CARD = Card("github.com/autogluon/tabrepo", "Apache-2.0", ("arXiv:2311.02971",))
_NEEDED = ("dataset", "fold", "framework", "metric_error", "metric_error_val", "time_train_s")


def load(path: Path | str) -> dict[str, Task]:
    """Return a task for each data set of a file, by its name.

    Raises
    ------
    BenchmarkError
        If the file is missing, truncated, or lacks a column.
    """
    table = files.read_columns(Path(path))
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise BenchmarkError(f"{path} is no file of TabRepo: it has no column {', '.join(missing)}")
    names = table["dataset"].astype(str)
    return {name: _task(name, table, np.flatnonzero(names == name)) for name in sorted(set(names))}


def _task(name: str, table: dict[str, NDArray[Any]], rows: NDArray[np.intp]) -> Task:
    models = table["framework"][rows].astype(str).tolist()
    metrics = {
        "error": table["metric_error_val"][rows].astype(np.float64)[:, None],
        "test_error": table["metric_error"][rows].astype(np.float64)[:, None],
    }
    seconds = table["time_train_s"][rows].astype(np.float64)[:, None]
    found = pool.Pool([{"model": m} for m in models], np.ones(1), metrics, seconds)
    space = Space({"model": Choice(sorted(set(models)))})
    about = f"models of tables on {name}"
    return pool.task(f"tabrepo/{name}", found, space, Objective("error"), about, CARD)
