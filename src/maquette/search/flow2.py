"""FLOW2: a randomised direct search that never strays far from where it is, so that it stays cheap.

From the incumbent x, with u uniform on the unit sphere [1, algorithm 1],

    try x + step u; if that is no better try x - step u; move to what is better.

After a number of failures both ways the step is halved; a step below the resolution of the space
has converged. Where no trial has ended well yet, steps get longer instead. A whole number lies
anywhere in its cell. A choice changes with the probability that such a coordinate would leave its
cell, and alone in half of its share of the trials, so that it goes on to change as steps get short.
Coordinates that do not exist in the incumbent stay as they are.

Which trials belong to a search is read off the cube: those within a step of its incumbent. So
results may come late, and from whoever proposed them.

References
----------
.. [1] Q. Wu, C. Wang and S. Huang. Frugal Optimization for Cost-related Hyperparameters. AAAI 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.search.genes import dimensions, latent, widths
from maquette.search.machine import Standing, Told
from maquette.space import Space

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# First step, and the one at which a search has converged, for each root of a dimension.
STEP, FINEST = 0.1, 1e-3
# While nothing has worked every step is so much longer than the one before.
WIDEN = 1.25
# Configs are rounded: a step may be longer by this.
ROUNDING = 1e-9
# Directions of one proposal, of which the first is taken that was not tried.
DIRECTIONS = 8


@final
@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """Where a search is, and how far it steps.

    Attributes
    ----------
    z
        Genes of the incumbent, shape (d,).
    row, active
        Its config and activity mask, shape (d,).
    standing
        How good it is, as in `Told`.
    step
        Length of a step in the unit cube.
    failures
        Trials without an improvement since the step changed.
    failed
        The last displacement that did not pay (d,), whose opposite comes next; None: none.
    """

    z: Array
    row: Array
    active: Mask
    standing: Standing
    step: float
    failures: int = 0
    failed: Array | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """What the steps of all searches in a space share.

    Attributes
    ----------
    space, seed
        The space, and the seed of what configs do not tell.
    choices, width
        Which genes are choices, and the share of its range that one value takes, each (d,).
    first, last, patience
        The first step, the one at which a search has converged, and failures at one step.
    """

    space: Space
    seed: int
    choices: Mask
    width: Array
    first: float
    last: float
    patience: int

    def begun(self, told: Told) -> Ball:
        """Return the search that starts at a trial."""
        z = latent(self.space, self.seed, told)
        return Ball(z, told.x, told.active, told.standing, self.first)

    def near(self, ball: Ball, X: Array) -> Array:
        """Return the distances of rows (m, d) to the incumbent, in steps, shape (m,).

        By numbers that exist, less what rounding may add.
        """
        there = ball.active & ~self.choices
        gap = np.maximum(np.abs(X - ball.row) - self.width - ROUNDING, 0.0)[:, there]
        distance: Array = np.sqrt((gap**2).sum(axis=1)) / ball.step
        return distance

    def after(self, ball: Ball, told: Told) -> Ball:
        """Return the search after one of its trials has ended."""
        lost = ball.standing[0] == 3
        if told.standing < ball.standing:
            z = latent(self.space, self.seed, told, ball.z)
            step = self.first if lost else ball.step
            return Ball(z, told.x, told.active, told.standing, step, ball.failures)
        if lost:  # nothing has worked so far: farther
            return replace(ball, step=min(WIDEN * ball.step, self.first / STEP))
        moved = np.where(told.active & ball.active, told.x - ball.row, 0.0)
        if not moved.any():  # in its choices alone
            ball = replace(ball, failures=ball.failures + 1)
        elif ball.failed is None or float(moved @ ball.failed) >= 0:
            ball = replace(ball, failed=moved)
        else:  # on a slope every other step fails: it takes both ways to count
            ball = replace(ball, failures=ball.failures + 2, failed=None)
        if ball.failures >= self.patience:
            ball = replace(ball, failures=0, failed=None, step=0.5 * ball.step)
        return ball

    def converged(self, ball: Ball) -> bool:
        """Whether the steps are below what matters."""
        return ball.step < self.last

    def proposals(self, ball: Ball, rng: np.random.Generator) -> Array:
        """Return where to go next, in order of preference, shape (m, d)."""
        rows = []
        if ball.failed is not None:
            rows.append(np.where(self.choices, ball.row, ball.z - ball.failed))
        for k in range(DIRECTIONS):
            # Should all of a step's configs be known, the later ones go farther.
            step = ball.step * 2.0 ** max(0, k - DIRECTIONS // 2)
            moves = step * _direction(rng, ball.active)
            leaves = rng.random(len(moves)) * self.width < np.abs(moves)
            anew = np.where(leaves, rng.random(len(moves)), ball.row)
            rows.append(np.where(self.choices, anew, ball.z + moves))
        free = np.flatnonzero(self.choices & ball.active & (self.width < 1))
        if rng.random() * 2.0 * dimensions(self.space) < len(free):
            others = np.repeat(ball.z[None], DIRECTIONS, axis=0)
            others[np.arange(DIRECTIONS), rng.choice(free, DIRECTIONS)] = rng.random(DIRECTIONS)
            rows = [*others, *rows]
        found: Array = np.clip(np.array(rows), 0.0, 1.0)
        return found


def _direction(rng: np.random.Generator, free: Mask) -> Array:
    """Return a direction (d,), uniform on the unit sphere of the coordinates that are free."""
    u = np.where(free, rng.standard_normal(len(free)), 0.0)
    return np.asarray(u / max(float(np.linalg.norm(u)), 1e-300))


def steps_of(space: Space, seed: int, patience: int | None) -> Steps:
    """Return the steps of a space; a patience of None stands for 2 d failures."""
    d, width = dimensions(space), widths(space)
    finest = FINEST if (width == 0).any() else max(FINEST, 0.25 * float(width.min()))
    root = math.sqrt(d)
    first = STEP * root
    return Steps(
        space,
        seed,
        space.is_categorical,
        width,
        first,
        min(finest * root, first),
        patience or 2 * d,
    )
