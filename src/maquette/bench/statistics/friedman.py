"""Do k optimizers differ over N tasks at all, and which pairs do?

References
----------
.. [1] M. Friedman. A Comparison of Alternative Tests of Significance for the Problem of m
       Rankings. Ann. Math. Statist. 11(1), 1940.
.. [2] R. L. Iman and J. M. Davenport. Approximations of the Critical Region of the Friedman
       Statistic. Commun. Statist. A9(6), 1980.
.. [3] P. B. Nemenyi. Distribution-free Multiple Comparisons. PhD thesis, Princeton, 1963.
.. [4] J. Demšar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from maquette.bench.statistics.ranks import ranks
from maquette.errors import BenchmarkError

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Friedman:
    """The test of all optimizers together.

    Attributes
    ----------
    mean_ranks
        Shape (k,).
    chi2, F
        Friedman's statistic [1] and the less conservative one of Iman and Davenport [2].
    p
        p value of F, with k - 1 and (k - 1)(N - 1) degrees of freedom.
    pairs
        p values of Nemenyi's test of each pair [3], shape (k, k); they hold for all pairs together.
    """

    mean_ranks: Array
    chi2: float
    F: float
    p: float
    pairs: Array


def friedman(scores: ArrayLike) -> Friedman:
    """Test scores of shape (N tasks, k optimizers), lower is better.

    Ranks with ties are used as in [4], without a correction for ties.

    Raises
    ------
    BenchmarkError
        If there are fewer than two tasks or two optimizers.
    """
    X = np.asarray(scores, dtype=float)
    if X.ndim != 2 or min(X.shape) < 2:
        raise BenchmarkError(
            f"Friedman's test needs at least two tasks and two optimizers, not {X.shape}"
        )
    N, k = X.shape
    R = ranks(X).mean(axis=0)
    chi2 = 12 * N / (k * (k + 1)) * float(np.sum(R**2) - k * (k + 1) ** 2 / 4)
    rest = N * (k - 1) - chi2
    F = (N - 1) * chi2 / rest if rest > 1e-12 * N * k else math.inf
    p = float(stats.f.sf(F, k - 1, (k - 1) * (N - 1)))
    q = np.abs(R[:, None] - R[None, :]) / math.sqrt(k * (k + 1) / (6 * N))
    pairs = np.asarray(stats.studentized_range.sf(q * math.sqrt(2), k, np.inf))
    np.fill_diagonal(pairs, 1.0)
    return Friedman(R, chi2, F, p, np.clip(pairs, 0.0, 1.0))


def critical_difference(k: int, N: int, alpha: float = 0.05) -> float:
    """Return the least difference of mean ranks that Nemenyi's test calls significant [4, p. 11].

    Parameters
    ----------
    k, N
        Numbers of optimizers and tasks.
    alpha
        Chance that any of the pairs is called different though none is.
    """
    q = float(stats.studentized_range.isf(alpha, k, np.inf)) / math.sqrt(2)
    return q * math.sqrt(k * (k + 1) / (6 * N))


def groups(mean_ranks: Sequence[float] | Array, difference: float) -> list[tuple[int, ...]]:
    """Return the largest groups of optimizers whose mean ranks lie within a critical difference.

    Indices of two or more optimizers each, best first; the bars of a critical-difference diagram.
    """
    R = np.asarray(mean_ranks, dtype=float)
    order = np.argsort(R, kind="stable")
    found: list[tuple[int, ...]] = []
    end = 0
    for i in range(len(order)):
        j = i
        while j + 1 < len(order) and R[order[j + 1]] - R[order[i]] < difference:
            j += 1
        if j > i and j >= end:
            found.append(tuple(int(o) for o in order[i : j + 1]))
            end = j + 1
    return found
