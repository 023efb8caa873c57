"""HPO-B: 176 search spaces and 196 data sets of OpenML, each a pool of evaluated configs.

A file such as ``meta-test-dataset.json`` maps a search space and a data set to ``X``, configs in
[0, 1]^d, and ``y``, their accuracies. ``bo-initializations.json`` holds the places of the five
initial configs by seed (``test0``, ...).

References
----------
.. [1] S. Pineda Arango, H. S. Jomaa, M. Wistuba and J. Grabocka. HPO-B: A Large-Scale Reproducible
       Benchmark for Black-Box HPO based on OpenML. NeurIPS Datasets and Benchmarks, 2021.
       arXiv:2106.06257.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from maquette.bench.loaders import pool
from maquette.bench.task import Card, Task
from maquette.errors import BenchmarkError, nearest
from maquette.objective import Objective
from maquette.space import Float, Space

CARD = Card("github.com/machinelearningnuremberg/HPO-B", "MIT", ("arXiv:2106.06257",))


def load(path: Path | str, space: str, dataset: str) -> Task:
    """Return the task of a search space and a data set.

    Raises
    ------
    BenchmarkError
        If the file is missing, truncated, of another form, or lacks them.
    """
    data = pool.read_json(path)
    try:
        if space not in data:
            raise BenchmarkError(f"{path}: no search space {space!r}." + nearest(space, data))
        if dataset not in data[space]:
            raise BenchmarkError(
                f"{path}: no data set {dataset!r}." + nearest(dataset, data[space])
            )
        X = np.array(data[space][dataset]["X"], dtype=np.float64)
        y = np.array(data[space][dataset]["y"], dtype=np.float64).reshape(-1)
        if X.ndim != 2 or len(X) != len(y):
            raise ValueError(f"X has shape {X.shape}, y {y.shape}")
    except (KeyError, TypeError, ValueError) as error:
        raise BenchmarkError(f"{path} is no file of HPO-B: {error!r}") from error
    names = [f"x{k}" for k in range(X.shape[1])]
    configs = [dict(zip(names, row, strict=True)) for row in X.tolist()]
    table = pool.Pool(configs, np.ones(1), {"accuracy": y[:, None]}, np.ones((len(y), 1)))
    about = f"search space {space} on data set {dataset} of OpenML"
    declared = Space({name: Float(0.0, 1.0) for name in names})
    return pool.task(
        f"hpob/{space}-{dataset}", table, declared, Objective(maximize="accuracy"), about, CARD
    )


def initial(path: Path | str, pool_path: Path | str, space: str, dataset: str) -> dict[str, Any]:
    """Return the initial configs of a task by seed name.

    Parameters
    ----------
    path
        ``bo-initializations.json``.
    pool_path
        The file that `load` reads.

    Raises
    ------
    BenchmarkError
        As `load`.
    """
    data, places = pool.read_json(pool_path), pool.read_json(path)
    try:
        X = data[space][dataset]["X"]
        return {
            seed: [{f"x{k}": float(v) for k, v in enumerate(X[place])} for place in chosen]
            for seed, chosen in places[space][dataset].items()
        }
    except (KeyError, IndexError, TypeError) as error:
        raise BenchmarkError(f"{path} does not fit {pool_path}: {error!r}") from error
