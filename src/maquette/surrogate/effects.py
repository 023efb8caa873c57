"""The covariance of a sum of functions of one setting each: main effects.

    k(u, v) = mean over groups g of 1 / (1 + r_g^2 / 2)

with r_g the distance within the columns of a group: the rational quadratic kernel with alpha = 1
[1, eq. 4.19], which is cheap.
A product kernel learns about a config from its near neighbours alone, of which few trials have
none; a sum learns each setting's effect from all trials [2].

References
----------
.. [1] C. E. Rasmussen and C. K. I. Williams. Gaussian Processes for Machine Learning. MIT Press,
       2006.
.. [2] D. Duvenaud, H. Nickisch and C. E. Rasmussen. Additive Gaussian Processes. NeurIPS 2011.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

BLOCK = 8192  # numbers at a time


def group_distances(U: Array, V: Array, group: Index) -> Array:
    """Return r_g^2 of rows of U (n, p) and V (m, p) in every group, shape (groups, n, m)."""
    out = np.zeros((int(group[-1]) + 1 if len(group) else 0, len(U), len(V)))
    for j, g in enumerate(group):
        apart = U[:, j][:, None] - V[:, j][None, :]
        out[g] += apart * apart
    return out


def effect(r2: Array) -> tuple[Array, Array]:
    """Return the kernel of one group and its derivative by the squared distance; any shape."""
    k = 1.0 / (1.0 + 0.5 * r2)
    return k, -0.5 * k * k


def effects(U: Array, V: Array, group: Index) -> Array:
    """Return the covariance of rows of U (n, p) and V (m, p), shape (n, m)."""
    groups = int(group[-1]) + 1
    columns = [np.flatnonzero(group == g) for g in range(groups)]
    total = np.zeros((len(U), len(V)))
    # A few rows at a time and in place, so that all stays in the processor's cache: this is most
    # of the time that a prediction takes.
    rows = max(1, BLOCK // max(len(V), 1))
    for first in range(0, len(U), rows):
        A, out = U[first : first + rows], total[first : first + rows]
        apart, r2 = np.empty_like(out), np.empty_like(out)
        for own in columns:
            r2.fill(2.0)
            for j in own:
                np.subtract(A[:, j, None], V[None, :, j], out=apart)
                apart *= apart
                r2 += apart
            # 1 / (1 + r^2 / 2) = 2 / (2 + r^2)
            out += np.divide(2.0, r2, out=r2)
    total /= groups
    return total
