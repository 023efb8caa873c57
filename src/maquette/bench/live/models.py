"""Models of scikit-learn that are trained for real, on data that come with it.

A row is the seed of the split and of the model: rows 0 to 4 are tuned on, 5 to 9 are kept apart.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from maquette.bench import files
from maquette.space import Choice, Float, Int, Space

Step = tuple[float, dict[str, float], float]  # step, metrics, processor seconds so far
Train = Callable[[Mapping[str, Any], int], Iterator[Step]]

EPOCHS = 20
SPACES = {
    "digits-mlp": Space(
        {
            "learning_rate_init": Float(1e-4, 1e-1, log=True),
            "alpha": Float(1e-6, 1e-1, log=True),
            "batch_size": Int(16, 256, log=True),
            "width": Int(8, 128, log=True),
            "layers": Int(1, 3),
            "beta_1": Float(0.5, 0.99),
        }
    ),
    "cancer-svm": Space(
        {
            "C": Float(1e-3, 1e3, log=True),
            "kernel": Choice(["rbf", "poly", "linear"]),
            "gamma": Float(1e-5, 1e1, log=True, when={"kernel": ["rbf", "poly"]}),
            "degree": Int(2, 5, when={"kernel": "poly"}),
        }
    ),
    "wine-forest": Space(
        {
            "n_estimators": Int(5, 100, log=True),
            "max_depth": Int(1, 12),
            "max_features": Float(0.1, 1.0),
            "min_samples_leaf": Int(1, 20, log=True),
            "criterion": Choice(["gini", "entropy"]),
        }
    ),
}


def train(name: str) -> Train:
    """Return what trains the model of a task; it yields once an epoch, or once.

    Raises
    ------
    BenchmarkError
        If scikit-learn is not installed.
    """
    files.package("sklearn", "bench")
    return _mlp if name == "digits-mlp" else (lambda config, seed: _whole(name, config, seed))


def _split(loader: str, seed: int) -> Any:
    datasets = files.package("sklearn.datasets", "bench")
    selection = files.package("sklearn.model_selection", "bench")
    X, y = getattr(datasets, loader)(return_X_y=True)
    scaled = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    return selection.train_test_split(scaled, y, test_size=0.3, random_state=seed, stratify=y)


def _mlp(config: Mapping[str, Any], seed: int) -> Iterator[Step]:
    X, fresh, y, labels = _split("load_digits", seed)
    network = files.package("sklearn.neural_network", "bench").MLPClassifier(
        hidden_layer_sizes=(int(config["width"]),) * int(config["layers"]),
        learning_rate_init=config["learning_rate_init"],
        alpha=config["alpha"],
        batch_size=int(config["batch_size"]),
        beta_1=config["beta_1"],
        random_state=seed,
    )
    rng = np.random.default_rng(seed)
    spent = 0.0
    for epoch in range(1, EPOCHS + 1):
        began = time.process_time()
        order = rng.permutation(len(y))
        network.partial_fit(X[order], y[order], classes=np.unique(y))
        error = 1.0 - float(network.score(fresh, labels))
        spent += time.process_time() - began
        yield float(epoch), {"error": error}, spent


def _whole(name: str, config: Mapping[str, Any], seed: int) -> Iterator[Step]:
    began = time.process_time()
    if name == "cancer-svm":
        X, fresh, y, labels = _split("load_breast_cancer", seed)
        settings = {"gamma": "scale", **config}
        model = files.package("sklearn.svm", "bench").SVC(**settings, max_iter=20_000)
    else:
        X, fresh, y, labels = _split("load_wine", seed)
        forests = files.package("sklearn.ensemble", "bench")
        model = forests.RandomForestClassifier(**config, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the solver's steps run out, the error shows it
        model.fit(X, y)
    error = 1.0 - float(model.score(fresh, labels))
    yield 1.0, {"error": error}, time.process_time() - began
