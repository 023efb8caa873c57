"""How often one optimizer beats another: the probability of improvement.

References
----------
.. [1] R. Agarwal, M. Schwarzer, P. S. Castro, A. Courville and M. G. Bellemare. Deep Reinforcement
       Learning at the Edge of the Statistical Precipice. NeurIPS 2021. (Section 4.3.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def probability_of_improvement(scores: ArrayLike) -> Array:
    """Return P[i, j], the chance that a run of i scores lower than one of j, shape (k, k).

    The Mann-Whitney fraction of all pairs of runs on a task, ties counted half, averaged over
    tasks [1]. Missing scores (NaN) lose; two of them tie.

    Parameters
    ----------
    scores
        Shape (tasks, optimizers, seeds).
    """
    X = np.asarray(scores, dtype=float)
    X = np.where(np.isnan(X), np.inf, X)
    k = X.shape[1]
    P = np.full((k, k), 0.5)
    for i in range(k):
        for j in range(i):
            a, b = X[:, i, :, None], X[:, j, None, :]
            P[i, j] = float(np.mean((a < b) + 0.5 * (a == b)))
            P[j, i] = 1 - P[i, j]
    return P
