"""Feasible configs: drawn by rejection, or moved into the feasible set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from maquette.errors import SpaceError
from maquette.space.codec import Array, Mask

MOST_DRAWS = 200_000
STEPS = 128

Feasible = Callable[[Array], Mask]


def reject(draw: Callable[[int], Array], feasible: Feasible, n: int, texts: Sequence[str]) -> Array:
    """Draw coded values until n rows are feasible, shape (n, d).

    Raises
    ------
    SpaceError
        If fewer than n rows in 200,000 draws (and 200 n) are feasible.
    """
    kept: list[Array] = []
    found = tried = 0
    batch = n
    while found < n:
        rows = draw(batch)
        rows = rows[feasible(rows)]
        kept.append(rows)
        found += len(rows)
        tried += batch
        if found < n and tried >= max(MOST_DRAWS, 200 * n):
            raise SpaceError(
                f"only {found} of {tried} random configs satisfy the constraints "
                + " and ".join(repr(t) for t in texts),
                hint="loosen the constraints, or narrow the ranges to where they hold",
            )
        batch = min(max(2 * batch, 64), 65536)
    return np.concatenate(kept)[:n]


def pull(unit: Array, anchor: Array, values: Callable[[Array], Array], feasible: Feasible) -> Array:
    """Return the coded values of one row (d,) moved to a feasible anchor (d,) as little as needed.

    The first feasible of 128 equal steps on the way; the anchor itself is the last.
    """
    t = np.linspace(0.0, 1.0, STEPS + 1)[:, None]
    rows = values((1.0 - t) * unit + t * anchor)
    return np.asarray(rows[np.argmax(feasible(rows))])
