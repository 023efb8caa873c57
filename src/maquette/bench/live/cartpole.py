"""REINFORCE with a linear policy on CartPole: small, noisy reinforcement learning.

References
----------
.. [1] R. J. Williams. Simple statistical gradient-following algorithms for connectionist
       reinforcement learning. Machine Learning 8, 1992.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from maquette.bench import files
from maquette.space import Choice, Float, Int, Space

UPDATES = 30
_EVALUATED = 5  # episodes after each update's report
_SCALE = np.array([1.0, 1.0, 5.0, 1.0])
SPACE = Space(
    {
        "lr": Float(1e-3, 3.0, log=True),
        "gamma": Float(0.8, 0.999),
        "episodes": Int(1, 8),
        "entropy": Float(1e-5, 1e-1, log=True),
        "baseline": Choice([True, False]),
    }
)


def train(config: Mapping[str, Any], seed: int) -> Iterator[tuple[float, dict[str, float], float]]:
    """Train from one seed; yield (update, metrics, processor seconds) ten times.

    The metric ``steps`` is the mean length of five fresh episodes, 500 at most.

    Raises
    ------
    BenchmarkError
        If gymnasium is not installed.
    """
    world = files.package("gymnasium", "bench").make("CartPole-v1")
    rng = np.random.default_rng(seed)
    theta = np.zeros(5)
    began = time.process_time()
    for update in range(1, UPDATES + 1):
        gradient = np.zeros(5)
        runs = [_episode(world, theta, rng) for _ in range(int(config["episodes"]))]
        for states, actions, chances in runs:
            returns = _returns(len(actions), config["gamma"])
            if config["baseline"]:
                returns = (returns - returns.mean()) / (returns.std() + 1e-8)
            gradient += ((actions - chances) * returns) @ states / len(actions)
            # The slope of the policy's entropy: p (1 - p) log((1 - p) / p).
            odds = np.log((1 - chances + 1e-9) / (chances + 1e-9))
            gradient += config["entropy"] * (chances * (1 - chances) * odds) @ states / len(actions)
        theta += config["lr"] * gradient / len(runs)
        if update % (UPDATES // 10) == 0:
            spans = [len(_episode(world, theta, rng)[1]) for _ in range(_EVALUATED)]
            spent = time.process_time() - began
            yield float(update), {"steps": float(np.mean(spans))}, spent
    world.close()


def _episode(world: Any, theta: Any, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Play once: states (T, 5), actions (T,) and the chances of action 1 (T,)."""
    seen, _ = world.reset(seed=int(rng.integers(2**31)))
    states, actions, chances, done = [], [], [], False
    while not done:
        state = np.append(seen * _SCALE, 1.0)
        chance = 1 / (1 + np.exp(-np.clip(theta @ state, -30, 30)))
        action = int(rng.random() < chance)
        seen, _, ended, cut, _ = world.step(action)
        states.append(state)
        actions.append(action)
        chances.append(chance)
        done = bool(ended or cut)
    return np.array(states), np.array(actions, dtype=float), np.array(chances)


def _returns(length: int, gamma: float) -> Any:
    """The discounted number of steps still to come, shape (length,)."""
    left = np.arange(length, 0, -1)
    return (1 - gamma**left) / (1 - gamma)
