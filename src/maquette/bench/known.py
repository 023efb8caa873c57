"""What is known of the tasks whose optimum cannot be read off a table.

``best_seen.json`` holds, for each, the least true loss that a long search met, and the true loss of
the median random config. ``benchmarks/tasks/best_seen.py`` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, final

import numpy as np

from maquette.space import Space

Losses = Callable[[Sequence[Mapping[str, Any]]], np.ndarray]


@final
@dataclass(frozen=True, slots=True)
class Known:
    """The least true loss that was met, and that of the median random config."""

    optimum: float
    median: float


@cache
def _table() -> dict[str, dict[str, float]]:
    text = resources.files("maquette.bench").joinpath("best_seen.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, float]] = json.loads(text)
    return table


def known(task: str) -> Known:
    """Return what is known of a task; NaN where nothing is."""
    row = _table().get(task, {"optimum": np.nan, "median": np.nan})
    return Known(row["optimum"], row["median"])


def search(losses: Losses, space: Space, *, rounds: int = 30, size: int = 2000) -> Known:
    """Look for the least loss: random configs, then ever smaller steps from the best ones.

    Parameters
    ----------
    losses
        The true losses of configs; NaN where a run fails.
    space
        Where to look.
    rounds, size
        Of so many rounds each tries so many configs.
    """
    rng = np.random.default_rng(0)
    drawn = space.sample(rng, 10_000)
    found = losses(drawn)
    median = float(np.nanmedian(found))
    best = np.argsort(found)[:50]
    elite, value = space.encode_many([drawn[i] for i in best])[0], found[best]
    for step in np.geomspace(0.3, 0.002, rounds):
        parents = elite[rng.integers(len(elite), size=size)]
        changed = rng.random(parents.shape) < rng.uniform(0.05, 1.0, (size, 1))
        moved = parents + changed * step * rng.standard_normal(parents.shape)
        jumped = rng.random(parents.shape) < 0.5 / parents.shape[1]
        jumped &= space.is_categorical
        moved = np.where(jumped, rng.random(parents.shape), moved)
        configs = space.from_unit(np.clip(moved, 0.0, 1.0))
        rows = np.concatenate([elite, space.encode_many(configs)[0]])
        every = np.concatenate([value, losses(configs)])
        best = np.argsort(every)[:50]
        elite, value = rows[best], every[best]
    return Known(float(value[0]), median)
