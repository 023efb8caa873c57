"""autoresearch: 14 settings of a language model of about 50M parameters, five minutes on one GPU.

The public trials of nine tuners [1], 11,172 trainings, do not cover a grid. Those of the fixed
space (all but the method that edits code) make a surrogate of two sums of oblivious trees
(`maquette.bench.trees`): the loss in bits per byte, as log(loss - 0.96) for resolution where it is
low, and the log odds of running out of memory. Beside the 14 settings the trees see what follows
from them: width, parameters, activations.

Held out, each of the three seeds of all tuners in turn: in the median the loss is right to 0.0048,
in its better half to 0.0034, with a rank correlation of 0.96; what runs out of memory is told in
99.5 % of the trainings. A test measures it again. Of random configs 58 % do not fit into memory:
they end after 3.2 + 1.7 depth seconds, as in the trials. A training takes 300 s.

A row adds noise as the 736 configs that were trained more than once show it: a standard deviation
of 0.0003 near the optimum, more above it.

References
----------
.. [1] F. Ferreira, et al. Can LLMs Beat Classical Hyperparameter Optimization Algorithms? A Study
       on autoresearch. arXiv:2603.24647, 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from maquette.bench import files, noise, trees
from maquette.bench.family import Family
from maquette.bench.known import known
from maquette.bench.task import Array, Card, Measured, Rows, Task, all_done, one_report
from maquette.objective import Objective
from maquette.space import Choice, Float, Int, Space
from maquette.trial import State

_FILE = "autoresearch_trials/trials.parquet"
_CARD = Card(
    source="github.com/ferreirafabio/autoresearch-automl, docs/data/trials.json (blob 0344b61)",
    licence="MIT",
    references=("arXiv:2603.24647",),
    files=(_FILE,),
)
_PATTERNS = ("SSSL", "LLLL", "LSSL", "SLSL", "SSLL", "SSSS")  # the first is the default
_LEVELS = {
    "HEAD_DIM": (64, 128, 256),
    "DEVICE_BATCH_SIZE": (32, 64, 128, 256),
    "TOTAL_BATCH_SIZE": tuple(2**k for k in range(16, 22)),
}
_SPACE = Space(
    {
        "DEPTH": Int(4, 24, default=8),
        "ASPECT_RATIO": Int(32, 128, default=64),
        "HEAD_DIM": Int(0, 2, default=1),
        "DEVICE_BATCH_SIZE": Int(0, 3, default=2),
        "TOTAL_BATCH_SIZE": Int(0, 5, default=3),
        "EMBEDDING_LR": Float(0.01, 2.0, log=True, default=0.6),
        "UNEMBEDDING_LR": Float(0.0005, 0.05, log=True, default=0.004),
        "MATRIX_LR": Float(0.005, 0.2, log=True, default=0.04),
        "SCALAR_LR": Float(0.05, 2.0, log=True, default=0.5),
        "WEIGHT_DECAY": Float(0.0, 0.5, default=0.2),
        "WARMUP_RATIO": Float(0.0, 0.3, default=0.0),
        "WARMDOWN_RATIO": Float(0.1, 0.8, default=0.5),
        "FINAL_LR_FRAC": Float(0.0, 0.2, default=0.0),
        "WINDOW_PATTERN": Choice(_PATTERNS),
    }
)
_FLOOR = 0.96  # below every loss that was seen
_SECONDS = 300.0
_LOSS = trees.Settings(trees=300, depth=6, rate=0.1)
_MEMORY = trees.Settings(trees=60, depth=4, rate=0.3, logistic=True)


@final
@dataclass(frozen=True, slots=True)
class Trials:
    """Trainings as rows.

    Attributes
    ----------
    features
        Settings and what follows from them, shape (n, 22).
    loss
        Bits per byte, shape (n,); NaN where it ran out of memory.
    failed
        Whether it did, shape (n,).
    seed
        Of the tuner, shape (n,).
    """

    features: Array
    loss: Array
    failed: NDArray[np.bool_]
    seed: NDArray[Any]


def trials() -> Trials:
    """Return the trainings in the fixed space.

    Raises
    ------
    BenchmarkError
        If the data are missing, truncated or changed, or pyarrow is not installed.
    """
    table = files.columns(_FILE, "autoresearch")
    fixed = table["method"] != "Karpathy Agent (Code)"
    numbers = [name for name in _SPACE if name != "WINDOW_PATTERN"]
    settings = np.stack([table[name][fixed].astype(np.float64) for name in numbers], axis=1)
    failed = ~table["success"][fixed].astype(bool)
    loss = np.where(failed, np.nan, table["val_bpb"][fixed])
    features = _features(settings, table["WINDOW_PATTERN"][fixed].tolist())
    return Trials(features, loss, failed, table["seed"][fixed])


def _features(settings: Array, patterns: list[str]) -> Array:
    """Add the pattern's letters and the model's size to the numbers, shape (n, 13)."""
    depth, ratio, head, batch = settings[:, :4].T
    width = np.ceil(depth * ratio / head) * head
    long = np.array([[letter == "L" for letter in p.ljust(4, p[-1])[:4]] for p in patterns])
    made = [
        width,
        np.log(width * depth * batch),
        np.log(width**2 * depth),
        np.log(width * batch),
        long.sum(axis=1),
    ]
    return np.concatenate([settings, long, np.stack(made, axis=1)], axis=1)


@final
class Surrogate:
    """The loss and the memory of any config, fitted to trainings."""

    def __init__(self, given: Trials) -> None:
        done = ~given.failed
        self._loss = trees.fit(given.features[done], np.log(given.loss[done] - _FLOOR), _LOSS)
        self._memory = trees.fit(given.features, given.failed.astype(np.float64), _MEMORY)

    def __call__(self, features: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Return the loss, and whether memory runs out, both (n,)."""
        return np.exp(self._loss(features)) + _FLOOR, self._memory(features) > 0


def _load(task: str) -> Task:
    surrogate = Surrogate(trials())
    levels = {list(_SPACE).index(k): np.array(v, dtype=float) for k, v in _LEVELS.items()}

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del scale
        settings = values[:, :-1].copy()
        for j, level in levels.items():
            settings[:, j] = level[settings[:, j].astype(np.int64)]
        patterns = [_PATTERNS[int(i)] for i in values[:, -1]]
        loss, failed = surrogate(_features(settings, patterns))
        if rows is not None:
            spread = 3e-4 * (1 + ((loss - _FLOOR) / 0.04) ** 1.5)
            loss = loss + spread * noise.normal(values, rows)
        states = all_done(len(loss))
        states[failed] = State.OOM
        seconds = np.where(failed, 3.2 + 1.7 * settings[:, 0], _SECONDS)
        return one_report({"val_bpb": np.where(failed, np.nan, loss)}, seconds, states)

    best = known(f"autoresearch/{task}")
    return Task(
        name=f"autoresearch/{task}",
        about="14 settings of a small language model, five minutes a run; most do not fit",
        space=_SPACE,
        objective=Objective("val_bpb"),
        card=_CARD,
        backend=measure,
        optimum=best.optimum,
        median=best.median,
        rows=2**31,
        failures=(State.OOM,),
        levels=_LEVELS,
    )


FAMILY = Family(
    "autoresearch",
    "settings of a small language model; a surrogate of real trainings with its region of OOM",
    "surrogate",
    _CARD,
    ("nanochat",),
    _load,
    needs=("pyarrow",),
)
