"""Maximising an acquisition function over a mixed, conditional, constrained space.

Candidates are drawn at random and around the best configs known; the most promising are climbed
from: L-BFGS-B with the analytic gradient on the active real dimensions, in turn with moves to the
best neighbour over choices and integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.records import TrialRecord
from maquette.search.acquisition import Target
from maquette.space import Choice, Config, Parameter, Space
from maquette.surrogate.embedding import Embedding
from maquette.surrogate.gp import Points

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Place = Callable[[Array, Mask], Points]

# An integer with more values than this is climbed as if it were real, then rounded.
FINE = 20


@final
@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates: rows (m, d) that satisfy the constraints, and their activity masks (m, d)."""

    X: Array
    active: Mask

    def keys(self) -> list[bytes]:
        """Return one key a row, equal for configs that are equal to nine digits."""
        return [row.tobytes() for row in np.round(np.where(self.active, self.X, -1.0), 9)]

    def holds(self, row: Array, mask: Mask) -> bool:
        """Whether a row (d,) is among these, to nine digits."""
        rows = np.arange(len(self.X))
        for j in range(len(row)):  # hardly any row is left after the first dimension or two
            rows = rows[self.active[rows, j] == mask[j]]
            if mask[j]:
                rows = rows[np.abs(self.X[rows, j] - row[j]) < 1e-9]
            if not len(rows):
                return False
        return bool(len(rows))

    def only(self, i: int) -> Pool:
        """Return the i-th candidate alone."""
        return Pool(self.X[i : i + 1], self.active[i : i + 1])

    def joined(self, other: Pool) -> Pool:
        """Return these candidates, followed by others."""
        return Pool(np.concatenate([self.X, other.X]), np.concatenate([self.active, other.active]))


@final
@dataclass(frozen=True, slots=True)
class Ground:
    """Where to look: a space, and the domain in whose coordinates (d,) all rows here are.

    They differ once a space has been narrowed: the model knows trials of the whole domain.
    """

    space: Space
    domain: Space

    @property
    def same(self) -> bool:
        """Whether nothing was ever narrowed."""
        return self.space is self.domain

    def pool(self, rows: Array) -> Pool:
        """Snap rows (m, d) to configs of the space; those outside the constraints are dropped."""
        if self.same or not len(rows):
            return pool(self.space, rows)
        return self._placed(pool(self.space, self.space.carry(self.domain, rows)[0]))

    def anywhere(self, rng: np.random.Generator, m: int) -> Pool:
        """Return about m configs of the space, drawn uniformly."""
        found = pool(self.space, rng.random((m, self.space.dimensions)))
        if len(found.X) < m // 8:
            found = Pool(*self.space.encode_many(self.space.sample(rng, m // 8)))
        return found if self.same else self._placed(found)

    def bounds(self) -> tuple[Array, Array]:
        """Return the least and the largest coordinates of the space, each of shape (d,)."""
        d = self.domain.dimensions
        if self.same:
            return np.zeros(d), np.ones(d)
        ends = np.repeat([[0.0], [1.0]], self.space.dimensions, axis=1)
        low, high = self.domain.carry(self.space, ends)[0]
        return np.minimum(low, high), np.maximum(low, high)

    def config(self, row: Array) -> Config:
        """Return the config at a row (d,)."""
        rows = row[None] if self.same else self.space.carry(self.domain, row[None])[0]
        return self.space.from_unit(rows)[0]

    def _placed(self, found: Pool) -> Pool:
        return (
            Pool(*self.domain.carry(self.space, found.X))
            if len(found.X)
            else Pool(
                np.empty((0, self.domain.dimensions)),
                np.empty((0, self.domain.dimensions), dtype=bool),
            )
        )


def pool(space: Space, unit: Array) -> Pool:
    """Snap rows (m, d) to configs of the space; rows outside the constraints are dropped."""
    X, active = space.project(unit)
    kept = space.feasible(X)
    return Pool(X[kept], active[kept])


def pool_of(trials: Sequence[TrialRecord]) -> Pool:
    """Return the configs of at least one trial."""
    return Pool(np.array([t.row for t in trials]), np.array([t.active for t in trials]))


def candidates(ground: Ground, best: Array, rng: np.random.Generator, m: int) -> tuple[Pool, Pool]:
    """Return about `m` rows drawn anywhere, and about `m` around rows `best` (k, d)."""
    space, d = ground.domain, ground.domain.dimensions
    anywhere = ground.anywhere(rng, m)
    around = np.repeat(best, -(-m // max(len(best), 1)), axis=0)
    step = rng.choice([0.01, 0.05, 0.2], size=(len(around), 1))
    moved = around + step * rng.standard_normal(around.shape)
    moved = np.where(space.is_categorical, rng.random(around.shape), moved)
    # At least one dimension moves, and about one in three of the choices among those that do.
    odds = np.where(space.is_categorical, 0.3, 1.0) * min(1.0, max(0.3, 5.0 / d))
    moves = rng.random(around.shape) < odds
    moves[np.arange(len(around)), rng.integers(d, size=len(around))] = True
    near = np.clip(np.where(moves, moved, around), 0.0, 1.0)
    return anywhere, ground.pool(np.concatenate([best, near]))


def neighbours(ground: Ground, row: Array, active: Mask) -> Pool:
    """Return the configs that differ from one row (d,) in one choice or by one integer step."""
    rows, space = [], ground.domain
    for j in np.flatnonzero(active & (space.cardinality > 1)):
        for coordinate in _steps(space[space.names[j]], float(row[j])):
            other = row.copy()
            other[j] = coordinate
            rows.append(other)
    return ground.pool(np.array(rows).reshape(len(rows), len(row)))


def _steps(parameter: Parameter, here: float) -> list[float]:
    """Return the coordinates of a choice's other values, or of the integers next to `here`."""
    if isinstance(parameter, Choice):
        m = len(parameter.values)
        return [(i + 0.5) / m for i in range(m) if i != min(int(here * m), m - 1)]
    # An integer v owns the cell [v - 1/2, v + 1/2] of the (log) scale and sits at v in it.
    a, b = parameter.low - 0.5, parameter.high + 0.5
    if not parameter.log:
        v = round(a + here * (b - a))
        return [(w - a) / (b - a) for w in (v - 1, v + 1) if a < w < b]
    a, b = math.log(a), math.log(b)
    v = round(math.exp(a + here * (b - a)))
    return [
        (math.log(w) - a) / (b - a) for w in (v - 1, v + 1) if parameter.low <= w <= parameter.high
    ]


def climb(
    ground: Ground, embed: Embedding, target: Target, place: Place, start: tuple[Array, Mask]
) -> tuple[Array, Mask, float]:
    """Return a row that is a local maximum near `start`, its mask, and its value."""
    row, active = start
    value = float(target(place(row[None], active[None]))[0])
    discrete = bool((active & (ground.domain.cardinality > 1)).any())
    for _ in range(4):
        row, active, value = _ascend(ground, embed, target, place, (row, active, value))
        if not discrete:
            break
        near = neighbours(ground, row, active)
        if not len(near.X):
            break
        values = target(place(near.X, near.active))
        best = int(np.argmax(values))
        if not values[best] > value + 1e-6:
            break
        row, active, value = near.X[best], near.active[best], float(values[best])
    return row, active, value


def _ascend(
    ground: Ground,
    embed: Embedding,
    target: Target,
    place: Place,
    start: tuple[Array, Mask, float],
) -> tuple[Array, Mask, float]:
    """Climb along the active real dimensions; return the start where that leads nowhere."""
    from scipy.optimize import minimize

    row, active, value = start
    cardinality = ground.domain.cardinality
    low, high = ground.bounds()
    real = active[embed.numeric] & _fine(cardinality[embed.numeric])
    columns = np.flatnonzero(real)
    free = embed.numeric[columns]
    if not len(free):
        return start
    mask = active[None]

    def loss(x: Array) -> tuple[float, Array]:
        moved = row.copy()
        moved[free] = x
        f, gradient = target.gradient(place(moved[None], mask))
        return -f, -gradient[columns]

    found = minimize(
        loss,
        row[free],
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(low[free], high[free], strict=True)),
        options={"maxiter": 20, "maxfun": 30, "ftol": 1e-6},
    )
    end = row.copy()
    end[free] = found.x
    # Where the way leaves the constraints, the last points inside are tried.
    line = row + np.array([1.0, 0.9, 0.7, 0.5, 0.3, 0.1])[:, None] * (end - row)
    inside = ground.pool(line)
    if not len(inside.X):
        return start
    reached = target(place(inside.X[:1], inside.active[:1]))
    if reached[0] <= value:
        return start
    return inside.X[0], inside.active[0], float(reached[0])


def _fine(cardinality: NDArray[np.int64]) -> Mask:
    return np.asarray((cardinality == 0) | (cardinality > FINE))
