"""What populations and frugal searches share: rows as genes, and proposals not tried yet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maquette.history import History
from maquette.rng import generator
from maquette.search.climb import Ground, Pool, pool_of
from maquette.search.machine import Told
from maquette.search.margin import cell
from maquette.search.sobol import opening
from maquette.space import Choice, Int, Space
from maquette.trial import Config, Suggestion

Array = NDArray[np.float64]

# Names the stream of random numbers of latent coordinates.
_LATENT = 1995


def latent(space: Space, seed: int, told: Told, hidden: Array | None = None) -> Array:
    """Return the genes (d,) of a trial, drawn where its config does not tell them.

    A whole number lies anywhere in its cell, so that steps smaller than a cell are no lost steps; a
    gene that does not show lies where it lay in `hidden` (d,), or anywhere.
    """
    u = generator(seed, _LATENT, told.trial).random(len(told.x))
    z = np.where(told.active, told.x, u if hidden is None else hidden)
    for j, parameter in enumerate(space.values()):
        if told.active[j] and isinstance(parameter, Int) and parameter.low < parameter.high:
            low, high = cell(parameter, float(told.x[j]))
            low, high = max(low, 0.0), min(high, 1.0)
            z[j] = low + (high - low) * u[j]
    return z


def placed(domain: Space, configs: Sequence[Config]) -> Pool:
    """Return where configs of any version lie in the space that holds them all."""
    return Pool(*domain.encode_many([domain.fill(config) for config in configs]))


def known(history: History) -> Pool:
    """Return the configs of all trials, pending ones too."""
    ended = Pool(history.finished.X, history.finished.active)
    pending = history.pending
    return ended.joined(pool_of(pending)) if pending else ended


def untried(found: Pool, tried: Pool) -> Pool | None:
    """Return the first of some configs that is not among those tried; None if all are."""
    for i in range(len(found.X)):
        if not tried.holds(found.X[i], found.active[i]):
            return found.only(i)
    return None


def opened(
    history: History, number: int, tried: Pool, rng: np.random.Generator
) -> tuple[Suggestion, Pool]:
    """Return what trial `number` of an initial design tries, and its row.

    Where the design's config was tried already, another one drawn at random.
    """
    found = opening(history, number - len(history.trials) + 1)[-1]
    one = placed(history.domain, [found.config])
    if number and tried.holds(one.X[0], one.active[0]):
        ground = Ground(history.space, history.domain)
        one = fallback(ground, tried, rng)
        found = Suggestion(ground.config(one.X[0]), "random")
    return found, one


def fallback(ground: Ground, tried: Pool, rng: np.random.Generator) -> Pool:
    """Return a config drawn anywhere, one that was not tried if that is easily found."""
    found = ground.anywhere(rng, 64)
    return untried(found, tried) or found.only(0)


def widths(space: Space) -> Array:
    """Return the share of its range that one value of each parameter takes, 0 for a Float, (d,)."""
    count = space.cardinality.astype(float)
    return np.asarray(np.where(count > 0, 1.0 / np.maximum(count, 1.0), 0.0))


def dimensions(space: Space) -> int:
    """Return how many parameters vary, at least 1."""
    return max(
        1,
        sum(len(p.values) > 1 if isinstance(p, Choice) else p.low < p.high for p in space.values()),
    )
