"""A small set of tasks that stands for a large one.

Tasks are points in the space of the optimizers' (normalised) performances. The subset is chosen so
that every box from the origin holds nearly the share of the subset's points that it holds of all
points: the star discrepancy between the two sets [1, 2].

References
----------
.. [1] C. Benjamins et al. carps: A Framework for Comparing N Hyperparameter Optimizers on M
       Benchmarks. arXiv:2506.06143, 2025.
.. [2] F. Clément, C. Doerr and L. Paquete. Star Discrepancy Subset Selection: Problem Formulation
       and Efficient Approaches for Low Dimensions. J. Complexity 70, 2022.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maquette.bench.statistics.ranks import ranks
from maquette.errors import BenchmarkError

Array = NDArray[np.float64]

# Corners of boxes that are looked at; in more dimensions a fixed random part of the grid.
_CORNERS = 40_000
_STARTS = 5


def star_discrepancy(points: ArrayLike, subset: ArrayLike) -> float:
    """Return the largest difference between the two sets' shares of points in a box from 0.

    Parameters
    ----------
    points
        All tasks, shape (n, d).
    subset
        Indices of the chosen ones.
    """
    return star_discrepancies(points, [subset])[0]


def star_discrepancies(points: ArrayLike, subsets: Iterable[ArrayLike]) -> list[float]:
    """Return the star discrepancy of each of several subsets; see `star_discrepancy`."""
    inside = _inside(np.asarray(points, dtype=float))
    whole = inside.mean(axis=0)
    return [_worst(inside[np.asarray(s, dtype=int)].mean(axis=0), whole) for s in subsets]


def representative(points: ArrayLike, size: int, *, seed: int = 0) -> list[int]:
    """Return the indices of `size` points with a low star discrepancy to all, in order.

    Single exchanges from several random starts, until none helps; equal seeds give equal subsets.

    Parameters
    ----------
    points
        Shape (n, d): one row a task, one column an optimizer's performance on it.
    size
        How many to choose, 1 to n.
    seed
        Of the starts.

    Raises
    ------
    BenchmarkError
        If the size is out of range, or a performance is missing.
    """
    P = np.asarray(points, dtype=float)
    if P.ndim != 2 or not np.isfinite(P).all():
        raise BenchmarkError("points are finite numbers of shape (tasks, optimizers)")
    if not 1 <= size <= len(P):
        raise BenchmarkError(f"cannot choose {size} of {len(P)} tasks")
    inside = _inside(P)
    rng = np.random.default_rng(seed)
    starts = [np.sort(rng.choice(len(P), size, replace=False)) for _ in range(_STARTS)]
    found = [_exchange(inside, start) for start in starts]
    return min(found, key=lambda f: (f[0], f[1]))[1]


def _inside(P: Array) -> Array:
    """Which points lie in which box: shape (n, boxes), as numbers."""
    n, d = P.shape
    R = ranks(P, axis=0) / n
    levels = int(_CORNERS ** (1 / d) + 1e-9)
    if levels >= 3:
        axis = np.unique(np.linspace(0, n, min(levels, n) + 1)[1:].round()) / n
        corners = np.stack(np.meshgrid(*[axis] * d, indexing="ij"), axis=-1).reshape(-1, d)
    else:
        corners = np.random.default_rng(0).integers(1, n + 1, size=(_CORNERS, d)) / n
    inside = np.ones((n, len(corners)), dtype=bool)
    for j in range(d):
        inside &= R[:, j, None] <= corners[None, :, j]
    return inside.astype(np.float64)


def _worst(share: Array, whole: Array) -> float:
    return float(np.abs(share - whole).max())


def _exchange(inside: Array, start: NDArray[np.int64]) -> tuple[float, list[int]]:
    """Exchange the member and the outsider that lower the discrepancy most, while any does."""
    whole, chosen = inside.mean(axis=0), start.tolist()
    k = len(chosen)
    total = inside[chosen].sum(axis=0)
    best = _worst(total / k, whole)
    while True:
        out = [i for i in range(len(inside)) if i not in set(chosen)]
        moves = [
            (_worst((total - inside[a] + inside[b]) / k, whole), a, b) for a in chosen for b in out
        ]
        value, a, b = min(moves, default=(best, 0, 0))
        if value >= best - 1e-12:
            return best, sorted(chosen)
        best, total = value, total - inside[a] + inside[b]
        chosen[chosen.index(a)] = b
