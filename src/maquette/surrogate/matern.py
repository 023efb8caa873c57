"""The Matern kernel with smoothness 5/2, as a function of the squared scaled distance.

References
----------
.. [1] C. E. Rasmussen and C. K. I. Williams. Gaussian Processes for Machine Learning. MIT Press,
       2006. Eq. 4.17.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def matern52(r2: Array) -> tuple[Array, Array]:
    """Return k(r) = (1 + s + s^2 / 3) e^-s with s = sqrt(5) r, and its derivative by r^2.

    Written in r^2 the derivative, -(5/6) (1 + s) e^-s, is smooth at r = 0. Shapes as `r2`.
    """
    s = np.sqrt(5.0 * r2)
    decay = np.exp(-s)
    return (1.0 + s + (5.0 / 3.0) * r2) * decay, (-5.0 / 6.0) * (1.0 + s) * decay


def squared_distances(U: Array, V: Array) -> Array:
    """Return ||u_i - v_j||^2 for rows of U (n, p) and V (m, p), shape (n, m), never negative."""
    r2 = (U * U).sum(axis=1)[:, None] + (V * V).sum(axis=1)[None, :] - 2.0 * (U @ V.T)
    return np.asarray(np.maximum(r2, 0.0))
