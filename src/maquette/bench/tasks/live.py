"""Trainings that run here and now, in seconds: their noise, times and failures are real.

``digits-mlp``, ``cancer-svm`` and ``wine-forest`` are models of scikit-learn on its own data,
``cartpole`` is REINFORCE [1], ``char-transformer`` is the small language model of ``maquette demo``
at width 64. Rows 0 to 4, seeds of data and model, are tuned on; the truth is the mean over 5 to 9,
and costs as much as five trainings. Where optimum and median are known, they are those of a
hundred random configs on one machine; elsewhere they are NaN, and there is no regret.

References
----------
.. [1] R. J. Williams. Simple statistical gradient-following algorithms for connectionist
       reinforcement learning. Machine Learning 8, 1992.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.known import known
from maquette.bench.task import Array, Card, Measured, Rows, Task, all_done
from maquette.instances import Instances
from maquette.objective import Objective
from maquette.space import Float, Int, Space
from maquette.space.columns import scalars
from maquette.trial import State

Step = tuple[float, dict[str, float], float]
Train = Callable[[Mapping[str, Any], int], Iterator[Step]]

_TUNE, _TEST = range(5), range(5, 10)
_CARD = Card(
    "scikit-learn's data; gymnasium; Python's standard library as text",
    "BSD-3-Clause; MIT; PSF",
    ("Williams (1992), REINFORCE",),
)
_TOKENS = 131_072
_TRANSFORMER = Space(
    {
        "lr": Float(3e-4, 1e-1, log=True),
        "weight_decay": Float(1e-3, 1.0, log=True),
        "init_scale": Float(0.25, 4.0, log=True),
        "batch": Int(8, 128, log=True),
    }
)


@final
@dataclass(frozen=True, slots=True)
class Trained:
    """Measures by training, one config after the other."""

    space: Space
    train: Train
    steps: Array
    metric: str

    def __call__(self, values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        """Train n configs; see `maquette.bench.task.Measure`."""
        del scale
        shape = (len(values), len(self.steps))
        if rows is None:
            every = [self(values, np.full(len(values), row), {}) for row in _TEST]
            mean = np.asarray(np.mean([m.metrics[self.metric] for m in every], axis=0))
            seconds = np.asarray(np.mean([m.seconds for m in every], axis=0))
            return self._measured(mean, seconds)
        curves, seconds = np.full(shape, np.nan), np.zeros(shape)
        for i, row in enumerate(rows.tolist()):
            for j, (_, metrics, spent) in enumerate(self.train(self._config(values[i]), row)):
                curves[i, j], seconds[i, j:] = metrics[self.metric], spent
        return self._measured(curves, seconds)

    def _measured(self, curves: Array, seconds: Array) -> Measured:
        states = all_done(len(curves))
        states[~np.isfinite(curves[:, -1])] = State.DIVERGED
        return Measured(
            self.steps, {self.metric: curves}, seconds, None, states, seconds[:, -1].copy()
        )

    def _config(self, values: Array) -> dict[str, Any]:
        return {
            name: scalars([float(v)], p)[0]
            for (name, p), v in zip(self.space.items(), values, strict=True)
            if not np.isnan(v)
        }


def _transformer(config: Mapping[str, Any], seed: int) -> Iterator[Step]:
    """Train once at width 64; a diverged run has no loss."""
    files.package("torch", "torch")
    from maquette.bench.live.char_transformer.data import load_text
    from maquette.bench.live.tuned import plan_of, tuned_run

    cell = {"width": 64.0, "depth": 2.0, "tokens": float(_TOKENS)}
    result = tuned_run(config, cell, plan_of("auto", cell, cell), load_text(None), seed)
    yield 1.0, {"loss": result["loss"]}, result["cpu_seconds"]


_MODELS = ("digits-mlp", "cancer-svm", "wine-forest")


def _load(task: str) -> Task:
    duration: dict[str, tuple[float, float]] = {}
    metric, larger, steps = "error", False, np.ones(1)
    if task in _MODELS:
        from maquette.bench.live import models

        space, train = models.SPACES[task], models.train(task)
        if task == "digits-mlp":
            steps, duration = np.arange(1.0, models.EPOCHS + 1), {"epochs": (1, models.EPOCHS)}
    elif task == "cartpole":
        from maquette.bench.live import cartpole

        files.package("gymnasium", "bench")
        space, train, metric, larger = cartpole.SPACE, cartpole.train, "steps", True
        steps = np.arange(3.0, cartpole.UPDATES + 1, 3.0)
        duration = {"updates": (3, cartpole.UPDATES)}
    else:
        space, train, metric = _TRANSFORMER, _transformer, "loss"
    best = known(f"live/{task}")
    return Task(
        name=f"live/{task}",
        about=f"{task.replace('-', ' ')}, trained here and now",
        space=space,
        objective=Objective(maximize=metric) if larger else Objective(metric),
        card=_CARD,
        backend=Trained(space, train, steps, metric),
        optimum=best.optimum,
        median=best.median,
        rows=len(_TUNE) + len(_TEST),
        duration=duration,
        instances=Instances(tune=_TUNE, test=_TEST),
        failures=(State.DIVERGED,),
        live=True,
    )


FAMILY = Family(
    "live",
    "models of scikit-learn, a policy and a small transformer, trained here and now",
    "live",
    _CARD,
    (*_MODELS, "cartpole", "char-transformer"),
    _load,
    ("sklearn", "gymnasium", "torch"),
)
