"""TaskSet: Adam with eight hyperparameters on six recurrent text classifiers, with learning curves.

1,000 configs drawn at random were trained for 10,000 steps and evaluated every 200 [1]. A config is
measured as the nearest one that was trained, in logarithms. A run whose loss is not a number from
some evaluation on ends there as diverged. An evaluation takes a second of simulated time.

References
----------
.. [1] L. Metz, N. Maheswaranathan, R. Sun, C. D. Freeman, B. Poole and J. Sohl-Dickstein. Using a
       thousand optimization tasks to learn hyperparameter search strategies. 2020.
       arXiv:2002.11887.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.nearest import Nearest
from maquette.bench.task import Array, Card, Measured, Rows, Task, all_done
from maquette.objective import Objective
from maquette.space import Float, Space
from maquette.trial import State

_PREFIX = "FixedTextRNNClassification_imdb_"
_TASKS = (
    *("patch128_LSTM128_avg_bs64", "patch128_LSTM128_embed128_bs64", "patch32_GRU64_avg_bs128"),
    *("patch32_IRNN64_relu_last_bs128", "patch32_LSTM128_bs128", "patch32_VRNN64_relu_avg_bs128"),
)
_CARD = Card(
    source="Google TaskSet, as kept by github.com/releaunifreiburg/DPL (de44b74)",
    licence="Apache-2.0",
    references=("arXiv:2002.11887",),
    files=tuple(f"taskset/{_PREFIX}{task}.npz" for task in _TASKS),
)
_RANGES = {
    "learning_rate": (1e-8, 1e1),
    "one_minus_beta1": (1e-4, 1.0),
    "one_minus_beta2": (1e-6, 1.0),
    "epsilon": (1e-10, 1e3),
    "l1": (1e-8, 1e1),
    "l2": (1e-8, 1e1),
    "linear_decay": (1e-7, 1e-4),
    "exponential_decay": (1e-6, 1e-3),
}
_SPACE = Space({name: Float(low, high, log=True) for name, (low, high) in _RANGES.items()})
_LENGTH = 50  # evaluations after the one at the start


def _load(task: str) -> Task:
    data = files.arrays(f"taskset/{_PREFIX}{task}.npz", "taskset")
    points = data["hp"].copy()
    points[:, 1:3] = 1 - points[:, 1:3]
    everywhere = np.ones(len(_SPACE), dtype=bool)
    near = Nearest(points, everywhere, np.log([high / low for low, high in _RANGES.values()]))
    curves = {
        name: data[name][:, 1:].astype(np.float64)
        for name in ("valid_loss", "train_loss", "test_loss")
    }
    # From the first value that is not a number on, a run has failed.
    failed = np.logical_or.accumulate(~np.isfinite(curves["valid_loss"]), axis=1)
    for values in curves.values():
        values[failed] = np.nan
    steps = np.arange(1.0, _LENGTH + 1)
    last = np.where(failed.any(axis=1), failed.argmax(axis=1) + 1.0, float(_LENGTH))

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del rows, scale
        at = near(values)
        states = all_done(len(at))
        states[failed[at, -1]] = State.DIVERGED
        metrics = {name: v[at] for name, v in curves.items()}
        seconds = np.broadcast_to(steps, (len(at), _LENGTH))
        return Measured(steps, metrics, seconds, None, states, last[at])

    final = curves["valid_loss"][:, -1]
    return Task(
        name=f"taskset/{task}",
        about=f"Adam's eight settings on {task.replace('_', ' ')}",
        space=_SPACE,
        objective=Objective("valid_loss"),
        card=_CARD,
        backend=measure,
        optimum=float(np.nanmin(final)),
        median=float(np.nanmedian(final)),
        exact=True,
        duration={"evaluations": (1, _LENGTH)},
        failures=(State.DIVERGED,),
    )


FAMILY = Family(
    "taskset",
    "Adam's settings for recurrent text classifiers, with learning curves",
    "table",
    _CARD,
    _TASKS,
    _load,
)
