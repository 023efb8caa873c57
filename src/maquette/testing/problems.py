"""Known functions and awkward spaces to try searchers on; all functions are minimised.

References
----------
.. [1] L. C. W. Dixon and G. P. Szegő. The Global Optimization Problem: An Introduction. 1978.
       (Branin and Hartmann.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from maquette.history import Problem
from maquette.objective import Objective
from maquette.space import Choice, Float, Int, Space

Function = Callable[[Mapping[str, Any]], float]

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


@final
@dataclass(frozen=True, slots=True)
class Known:
    """A function with its space, its least value, and a number of trials that is a fair test."""

    name: str
    space: Space
    function: Function
    least: float
    trials: int


def problem(space: Space, seed: int = 0) -> Problem:
    """Return a problem that minimises "loss" over a space."""
    return Problem(space, Objective("loss"), seed=seed)


def branin(config: Mapping[str, Any]) -> float:
    """Branin's function of x in [-5, 10] and y in [0, 15] [1]; three equal minima."""
    x, y = config["x"], config["y"]
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return float(valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


def hartmann6(config: Mapping[str, Any]) -> float:
    """Hartmann's function of six variables in [0, 1] [1]."""
    x = np.array(list(config.values()))
    return -float(_ALPHA @ np.exp(-(_A * (x - _P) ** 2).sum(axis=1)))


def training(config: Mapping[str, Any]) -> float:
    """A made-up training run: three optimizers, two with settings of their own."""
    best, floor = {"adam": (-3.0, 0.1), "sgd": (-1.3, 0.3), "muon": (-2.0, 0.0)}[
        config["optimizer"]
    ]
    loss = floor + (math.log10(config["lr"]) - best) ** 2
    if config["optimizer"] == "sgd":
        loss += 40 * (config["momentum"] - 0.9) ** 2
    if config["optimizer"] == "muon":
        loss += 0.03 * (config["iterations"] - 5) ** 2
    depth = 0.05 * (config["layers"] - 5) ** 2
    return float(loss + depth + 0.2 * (math.log(config["width"]) - 4.5) ** 2)


KNOWN = (
    Known("branin", Space({"x": Float(-5, 10), "y": Float(0, 15)}), branin, 0.397887, trials=25),
    Known("hartmann6", Space({f"x{i}": Float(0, 1) for i in range(6)}), hartmann6, -3.32237, 45),
    Known(
        "training",
        Space(
            {
                "lr": Float(1e-5, 1.0, log=True),
                "optimizer": Choice(["adam", "sgd", "muon"]),
                "momentum": Float(0.5, 0.99, when={"optimizer": "sgd"}),
                "iterations": Int(1, 10, when={"optimizer": "muon"}),
                "layers": Int(1, 12),
                "width": Int(8, 1024, log=True),
            }
        ),
        training,
        0.0,
        trials=40,
    ),
)

NESTED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "warmup": Float(0.0, 0.5, default=0.02),
        "decay": Float(0.0, 0.8),
        "layers": Int(1, 6),
        "width": Int(16, 256, log=True),
        "optimizer": Choice(["adamw", "muon", "sgd"]),
        "nesterov": Choice([True, False], when={"optimizer": "sgd"}),
        "momentum": Float(0.8, 0.99, when={"nesterov": True}),
        "bottleneck": Int(4, 64, when={"layers": (4, 6)}),
        "steps": Choice([1, 2.5, None], when={"optimizer": ["muon", "sgd"]}),
        "constant": Float(0.3, 0.3),
    },
    constraints=["warmup + decay <= 1", "layers * width <= 800", "bottleneck < width"],
)


# Four versions of one space: a range, a choice and parameters added; then all of it narrowed, with
# a parameter gone; then widened again.
SMALL = Space({"lr": Float(1e-3, 1e-1, log=True), "optimizer": Choice(["adamw", "sgd"])})
WIDE = Space(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "optimizer": Choice(["adamw", "sgd", "muon"]),
        "momentum": Float(0.5, 0.99, default=0.9, when={"optimizer": ["sgd", "muon"]}),
        "layers": Int(1, 8, default=4),
        "dropout": Float(0.0, 0.5, default=0.1),
    }
)
NARROW = Space(
    {
        "lr": Float(3e-3, 3e-2, log=True),
        "optimizer": Choice(["muon", "adamw"]),
        "momentum": Float(0.8, 0.9, default=0.9, when={"optimizer": "muon"}),
        "layers": Int(4, 4, default=4),
    },
    constraints=["optimizer == 'adamw' or lr <= 0.02"],
)
WIDER = Space(
    {
        "lr": Float(1e-3, 1e-1, log=True),
        "optimizer": Choice(["muon", "adamw"]),
        "momentum": Float(0.7, 0.99, default=0.9, when={"optimizer": "muon"}),
        "layers": Int(2, 12, default=4),
    }
)


def nested(config: Mapping[str, Any]) -> float:
    """A smooth function over `NESTED`."""
    loss = (math.log10(config["lr"]) + 2.5) ** 2 + (config["warmup"] - 0.1) ** 2
    loss += 0.02 * (config["layers"] - 4) ** 2 + 0.1 * math.log(config["width"] / 100) ** 2
    loss += 3 * (config.get("momentum", 0.9) - 0.95) ** 2
    return float(loss + 0.1 * len(config["optimizer"]))


AWKWARD: Mapping[str, Space] = {
    "one value each": Space({"x": Float(0.5, 0.5), "n": Int(3, 3), "c": Choice(["only"])}),
    "choices only": Space({"a": Choice(["x", "y"]), "b": Choice([1, 2, None])}),
    "one integer": Space({"n": Int(1, 4)}),
    "tight": Space({"x": Float(0, 1), "y": Float(0, 1)}, constraints=["x + y <= 0.05"]),
    "nested": NESTED,
}
