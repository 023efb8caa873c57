"""JAHS-Bench-201: a cell of a convolutional network with its hyperparameters, on three data sets.

The measured tables are published as pandas pickles (``cifar10/raw.pkl.gz``), which are not opened
here, as a pickle may run any code. Write one as CSV or parquet first, the two levels of its column
names joined by ``/``, in an environment that you trust it in::

    table = pandas.read_pickle("raw.pkl.gz")
    table.columns = ["/".join(map(str, name)) for name in table.columns]
    table.to_parquet("cifar10.parquet")

Used are ``sampling_index/model_ID``, ``features/...`` with the settings and ``epoch``, and
``labels/valid-acc``, ``test-acc`` and ``runtime`` (seconds since the run began). A config is
measured as the nearest one that was trained.

References
----------
.. [1] A. Bansal, D. Stoll, M. Janowski, A. Zela and F. Hutter. JAHS-Bench-201: A Foundation For
       Research On Joint Architecture And Hyperparameter Search. NeurIPS Datasets and Benchmarks,
       2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maquette.bench import files
from maquette.bench.loaders import pool
from maquette.bench.task import Array, Card, Task
from maquette.errors import BenchmarkError, SpaceError
from maquette.objective import Objective
from maquette.space import Choice, Float, Space

CARD = Card("github.com/automl/jahs_bench_201", "MIT", ("NeurIPS 2022, JAHS-Bench-201",))
SPACE = Space(
    {
        "LearningRate": Float(1e-3, 1.0, log=True),
        "WeightDecay": Float(1e-5, 1e-2, log=True),
        "Activation": Choice(["ReLU", "Hardswish", "Mish"]),
        "TrivialAugment": Choice([False, True]),
        **{f"Op{k}": Choice(list(range(5))) for k in range(1, 7)},
        "N": Choice([1, 3, 5]),
        "W": Choice([4, 8, 16]),
        "Resolution": Choice([0.25, 0.5, 1.0]),
    }
)
_METRICS = {"valid_accuracy": "labels/valid-acc", "test_accuracy": "labels/test-acc"}
_MODEL, _EPOCH, _SECONDS = "sampling_index/model_ID", "features/epoch", "labels/runtime"


def load(path: Path | str) -> Task:
    """Return the task of one data set; its name is the file's.

    Raises
    ------
    BenchmarkError
        If the file is missing, truncated, lacks a column, or holds settings that are not of [1].
    """
    table = files.read_columns(Path(path))
    needed = [_MODEL, _EPOCH, _SECONDS, *_METRICS.values(), *(f"features/{n}" for n in SPACE)]
    missing = [name for name in needed if name not in table]
    if missing:
        raise BenchmarkError(f"{path} is no table of JAHS: it has no column {', '.join(missing)}")
    try:
        found = _pool(table)
        for config in found.configs:
            SPACE.check(config)
    except (SpaceError, ValueError, TypeError) as error:
        raise BenchmarkError(f"{path} is no table of JAHS: {error}") from error
    name = Path(path).name.partition(".")[0]
    about = f"a cell of a network and its settings on {name}"
    goal = Objective(maximize="valid_accuracy")
    return pool.task(f"jahs/{name}", found, SPACE, goal, about, CARD)


def _pool(table: Mapping[str, NDArray[Any]]) -> pool.Pool:
    """Return a run for each model; NaN where it was not trained so far."""
    epochs = table[_EPOCH].astype(np.float64)
    steps = np.unique(epochs)
    models, which = np.unique(table[_MODEL].astype(str), return_inverse=True)
    at = which.ravel(), np.searchsorted(steps, epochs)

    def grid(name: str) -> Array:
        filled = np.full((len(models), len(steps)), np.nan)
        filled[at] = table[name].astype(np.float64)
        return filled

    seconds = np.maximum.accumulate(np.nan_to_num(grid(_SECONDS)), axis=1)
    first = np.unique(which.ravel(), return_index=True)[1].tolist()
    configs = [{name: _value(name, table[f"features/{name}"][i]) for name in SPACE} for i in first]
    metrics = {ours: grid(theirs) for ours, theirs in _METRICS.items()}
    return pool.Pool(configs, steps, metrics, seconds)


def _value(name: str, value: Any) -> Any:
    """Return a cell of the table in the type of the space: CSV knows numbers and texts alone."""
    parameter = SPACE[name]
    if not isinstance(parameter, Choice):
        return float(value)
    texts = {str(v).lower(): v for v in parameter.values}
    if str(value).lower() in texts:
        return texts[str(value).lower()]
    return next((v for v in parameter.values if not isinstance(v, str) and v == value), value)
