"""Functions made up to be hard in one way, with a known optimum.

conditional
    A training run of one of three optimizers, two of which have settings of their own.
constrained
    Hartmann's function [1] where the sum of squares, only known after a run, may not exceed 0.9.
known-constraint
    The same where a sum over the settings, known before a run, may not exceed 2.2.
noisy
    Hartmann's function with noise of a standard deviation of 0.2; a row is a draw.
uneven-noise
    Branin's function [1] with noise that grows tenfold from one side to the other.
heavy-tail
    The running time of a solver, itself the objective: log-normal in its instance and its seed, so
    that the mean over ten instances hangs on one or two. Tuned on instances 0 to 9, judged by the
    expectation on 10 to 59. What takes longer than 600 s is stopped; the truth counts 6,000 s.
slow-tail
    Hartmann's function, where a run takes the absolute value of a Cauchy number of minutes, ten
    hours at most: what a parallel tuner waits for.

References
----------
.. [1] L. C. W. Dixon and G. P. Szegő. The Global Optimization Problem: An Introduction. 1978.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from scipy.special import ndtr

from maquette.bench import noise
from maquette.bench.family import Family
from maquette.bench.known import known
from maquette.bench.task import Array, Card, Measured, Rows, Task, all_done, one_report
from maquette.instances import Instances
from maquette.objective import Objective
from maquette.space import Choice, Float, Int, Space
from maquette.trial import State

_CARD = Card("Maquette", "Apache-2.0", ("Dixon and Szegő (1978), Branin and Hartmann",))
_HARTMANN = -3.32236801141551
_BRANIN = 0.39788735772973816
_LIMIT, _PENALTY = 600.0, 10.0  # seconds, and PAR10's factor
_TUNE, _TEST = range(10), range(10, 60)

_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_A = np.array(
    [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ]
)
_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
_SIX = {f"x{k}": Float(0.0, 1.0) for k in range(1, 7)}
_TWO = {"x": Float(-5.0, 10.0), "y": Float(0.0, 15.0)}
_OPTIMIZERS = ("adam", "sgd", "muon")
_RUN: dict[str, Any] = {
    "lr": Float(1e-5, 1.0, log=True),
    "optimizer": Choice(_OPTIMIZERS),
    "momentum": Float(0.5, 0.99, when={"optimizer": "sgd"}),
    "iterations": Int(1, 10, when={"optimizer": "muon"}),
    "layers": Int(1, 12),
    "width": Int(8, 1024, log=True),
}
_SOLVER: dict[str, Any] = {
    "restart": Float(1.0, 1e4, log=True),
    "decay": Float(0.5, 1.0),
    "greed": Float(0.0, 1.0),
    "heuristic": Choice(["activity", "random", "static"]),
}


def hartmann(x: Array) -> Array:
    """Hartmann's function of rows (n, 6) in [0, 1] [1]: shape (n,)."""
    distance = (_A * (x[:, None, :] - _P) ** 2).sum(axis=2)
    return np.asarray(-(np.exp(-distance) @ _ALPHA))


def branin(x: Array) -> Array:
    """Branin's function of rows (n, 2) in [-5, 10] x [0, 15] [1]: shape (n,)."""
    valley = x[:, 1] - 5.1 / (4 * np.pi**2) * x[:, 0] ** 2 + 5 / np.pi * x[:, 0] - 6
    return np.asarray(valley**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x[:, 0]) + 10)


def _training(values: Array, rows: Rows | None) -> Measured:
    """A valley in the learning rate, at a place and a height that hang on the optimizer."""
    lr, kind, momentum, iterations, layers, width = values.T
    place, floor = np.array([[-3.0, 0.1], [-1.3, 0.3], [-2.0, 0.0]])[kind.astype(np.int64)].T
    loss = floor + (np.log10(lr) - place) ** 2 + 0.05 * (layers - 5) ** 2
    loss = loss + 0.2 * np.log(width / 90.0) ** 2
    loss = loss + np.where(kind == 1, 40 * (np.nan_to_num(momentum) - 0.9) ** 2, 0.0)
    loss = loss + np.where(kind == 2, 0.03 * (np.nan_to_num(iterations) - 5) ** 2, 0.0)
    del rows
    return one_report({"loss": loss}, 1.0 + layers * width / 100.0)


def _plain(values: Array, rows: Rows | None) -> Measured:
    del rows
    return one_report({"loss": hartmann(values)}, np.ones(len(values)))


def _constrained(values: Array, rows: Rows | None) -> Measured:
    del rows
    metrics = {"loss": hartmann(values), "squares": (values**2).sum(axis=1)}
    return one_report(metrics, np.ones(len(values)))


def _noisy(values: Array, rows: Rows | None) -> Measured:
    loss = hartmann(values)
    if rows is not None:
        loss = loss + 0.2 * noise.normal(values, rows)
    return one_report({"loss": loss}, np.ones(len(values)))


def _uneven(values: Array, rows: Rows | None) -> Measured:
    loss = branin(values)
    if rows is not None:
        spread = 10 ** ((values[:, 0] + 5) / 15)
        loss = loss + spread * noise.normal(values, rows)
    return one_report({"loss": loss}, np.ones(len(values)))


def _slow(values: Array, rows: Rows | None) -> Measured:
    """A run's time is a matter of its row; the truth takes the median's."""
    u = np.full(len(values), 0.5) if rows is None else noise.uniform(values, rows)
    seconds = 60.0 * np.abs(np.tan(np.pi / 2 * u))
    return one_report({"loss": hartmann(values)}, np.clip(seconds, 1.0, 36_000.0))


def _solver(values: Array, rows: Rows | None) -> Measured:
    """Running time: a log-normal number around what config and instance make of it."""
    if rows is None:
        means = [_expected(_level(values, np.full(len(values), i))) for i in _TEST]
        runtime = np.asarray(np.mean(means, axis=0))
        return one_report({"runtime": runtime}, np.minimum(runtime, _LIMIT))
    times = np.exp(_level(values, rows) + noise.normal(values, rows, 3))
    late = times > _LIMIT
    states = all_done(len(times))
    states[late] = State.TIMEOUT
    return one_report({"runtime": np.where(late, np.nan, times)}, np.minimum(times, _LIMIT), states)


def _expected(level: Array) -> Array:
    """The mean of exp(N(level, 1)), where what is above the limit counts ten times the limit."""
    most = np.log(_LIMIT)
    inside = np.exp(level + 0.5) * ndtr(most - level - 1)
    return np.asarray(inside + _PENALTY * _LIMIT * ndtr(level - most))


def _level(values: Array, rows: Rows) -> Array:
    """The mean of the logarithm of the running time."""
    restart, decay, greed, heuristic = values.T
    # An instance has its own hardness, and its own best length between restarts.
    instance = rows[:, None].astype(np.float64)
    hardness = noise.normal(instance, np.zeros_like(rows), 1)
    best = 2.0 + 0.5 * noise.normal(instance, np.zeros_like(rows), 2)
    level = np.array([0.0, 1.6, 0.8])[heuristic.astype(np.int64)]
    level = level + 0.4 * (np.log10(restart) - best) ** 2 + 30 * (decay - 0.95) ** 2
    return np.asarray(level + 3 * (greed - 0.3) ** 2 + 1.2 * hardness)


@final
@dataclass(frozen=True, slots=True)
class _Recipe:
    about: str
    space: Space
    function: Callable[[Array, Rows | None], Measured]
    optimum: float
    objective: Objective = field(default_factory=lambda: Objective("loss"))
    exact: bool = True
    more: Mapping[str, Any] = field(default_factory=dict)


_NOISY = {"rows": 2**31}
_RECIPES = {
    "conditional": _Recipe("settings that hang on the optimizer", Space(_RUN), _training, 0.0),
    "constrained": _Recipe(
        "six settings under a constraint that only a run shows",
        Space(_SIX),
        _constrained,
        _HARTMANN,
        Objective("loss", constraints={"squares": "<= 0.9"}),
    ),
    "known-constraint": _Recipe(
        "six settings under a constraint that is known",
        Space(_SIX, [" + ".join(_SIX) + " <= 2.2"]),
        _plain,
        _HARTMANN,
    ),
    "noisy": _Recipe("six settings, noise", Space(_SIX), _noisy, _HARTMANN, more=_NOISY),
    "uneven-noise": _Recipe(
        "two settings, noise that depends on them", Space(_TWO), _uneven, _BRANIN, more=_NOISY
    ),
    "slow-tail": _Recipe(
        "six settings, running times without a mean", Space(_SIX), _slow, _HARTMANN, more=_NOISY
    ),
    "heavy-tail": _Recipe(
        "a solver's running time, heavy-tailed, on instances kept apart",
        Space(_SOLVER),
        _solver,
        known("synthetic/heavy-tail").optimum,
        Objective("runtime"),
        exact=False,
        more={
            "rows": len(_TUNE) + len(_TEST),
            "instances": Instances(tune=_TUNE, test=_TEST),
            "failures": (State.TIMEOUT,),
        },
    ),
}


def _load(task: str) -> Task:
    recipe = _RECIPES[task]

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del scale
        return recipe.function(values, rows)

    def made(optimum: float, median: float) -> Task:
        return Task(
            name=f"synthetic/{task}",
            about=recipe.about,
            space=recipe.space,
            objective=recipe.objective,
            card=_CARD,
            backend=measure,
            optimum=optimum,
            median=median,
            exact=recipe.exact,
            **recipe.more,
        )

    drawn = recipe.space.sample(np.random.default_rng(0), 4096)
    losses = made(recipe.optimum, np.nan).losses(drawn)
    return made(recipe.optimum, float(np.nanmedian(losses)))


FAMILY = Family(
    "synthetic",
    "functions that are hard in one way: conditions, constraints, noise, heavy tails",
    "function",
    _CARD,
    tuple(_RECIPES),
    _load,
)
