"""The feasible part of the unit cube: drawing from it, and moving points into it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.random import Generator

from maquette.errors import SpaceError
from maquette.space.codec import Array, Codec, Mask
from maquette.space.constraint import Constraint
from maquette.space.prior import to_prior

MOST_DRAWS = 100_000
LARGEST_BATCH = 16_384
STEPS = 128


@final
@dataclass(frozen=True, eq=False)
class Region:
    """A codec under constraints.

    Parameters
    ----------
    codec
        The map between coordinates and coded values.
    constraints
        What must hold, where all the parameters that it names are active.
    default
        Coded default values, shape (d,).
    """

    codec: Codec
    constraints: tuple[Constraint, ...]
    default: Array

    def settle(self, unit: Array) -> Array:
        """Return the coded values at coordinates (n, d), floats rounded."""
        return self.codec.rounded(self.codec.to_values(unit))

    def allowed(self, coded: Array) -> Mask:
        """Return which coded rows (n, d) satisfy the constraints, shape (n,)."""
        allowed = np.ones(len(coded), dtype=bool)
        if self.constraints:
            active = dict(zip(self.codec.names, self.codec.active(coded).T, strict=True))
            held = dict(zip(self.codec.names, coded.T, strict=True))
            for constraint in self.constraints:
                applies = np.logical_and.reduce([active[n] for n in constraint.names])
                allowed &= ~applies | constraint.holds(held)
        return allowed

    def draw(self, rng: Generator, n: int) -> Array:
        """Draw coded rows (n, d) from the priors, by rejection.

        Raises
        ------
        SpaceError
            If 100,000 draws (and 1,000 n) did not hold n feasible rows.
        """
        if not self.constraints:
            return self._draw(rng, n)
        kept: list[Array] = []
        found, tried, batch = 0, 0, max(n, 8)
        while found < n:
            rows = self._draw(rng, batch)
            kept.append(rows[self.allowed(rows)])
            found += len(kept[-1])
            tried += batch
            if found < n and tried >= max(MOST_DRAWS, 1000 * n):
                raise SpaceError(
                    f"only {found} of {tried} random configs satisfy the constraints "
                    + " and ".join(repr(c.text) for c in self.constraints),
                    hint="loosen the constraints, or narrow the ranges to where they hold",
                )
            batch = min(2 * batch, LARGEST_BATCH)
        return np.concatenate(kept)[:n]

    def _draw(self, rng: Generator, n: int) -> Array:
        return self.settle(to_prior(self.codec, rng.random((n, len(self.default)))))

    def enter(self, unit: Array) -> Array:
        """Return coded rows (n, d) at coordinates (n, d), moved into the constraints.

        A row outside goes to the first feasible of 128 equal steps towards the anchor.
        """
        coded = self.settle(unit)
        for i in np.flatnonzero(~self.allowed(coded)):
            coded[i] = self._pull(unit[i], self.anchor)
        return coded

    @cached_property
    def anchor(self) -> Array:
        """A feasible row (d,): the default if it is one, else near it on the way to a draw."""
        default = self.codec.to_unit(self.default[None])
        if self.allowed(self.settle(default))[0]:
            return np.asarray(default[0])
        drawn = self.codec.to_unit(self.draw(np.random.default_rng(0), 64))
        nearest = drawn[np.argmin(((drawn - default) ** 2).sum(axis=1))]
        coded = self._pull(default[0], nearest)
        return np.asarray(self.codec.to_unit(coded[None])[0])

    def _pull(self, unit: Array, anchor: Array) -> Array:
        t = np.linspace(0.0, 1.0, STEPS + 1)[:, None]
        rows = self.settle((1.0 - t) * unit + t * anchor)
        return np.asarray(rows[np.argmax(self.allowed(rows))])
