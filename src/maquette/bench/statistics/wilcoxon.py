"""The signed-rank test of two optimizers over tasks, and Holm's correction for many of them.

References
----------
.. [1] F. Wilcoxon. Individual Comparisons by Ranking Methods. Biometrics Bulletin 1(6), 1945.
.. [2] J. Demšar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006.
       (Section 3.1.3: the ranks of zero differences are split evenly between the two sums.)
.. [3] S. Holm. A Simple Sequentially Rejective Multiple Test Procedure. Scand. J. Statist. 6, 1979.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from maquette.errors import BenchmarkError

Array = NDArray[np.float64]

# Up to so many differences the distribution of the sum is counted out.
_EXACT = 50


@final
@dataclass(frozen=True, slots=True)
class Wilcoxon:
    """A signed-rank test.

    Attributes
    ----------
    plus, minus
        Sums of the ranks at which the first score is the higher, the lower one (R+ and R- of [2]).
    p
        Two-sided p value.
    exact
        Whether p was counted out; otherwise it is the normal approximation with ties.
    """

    plus: float
    minus: float
    p: float
    exact: bool


def wilcoxon(first: ArrayLike, second: ArrayLike) -> Wilcoxon:
    """Test whether two optimizers differ over n tasks; scores of shape (n,), paired.

    A score that is missing (NaN or infinite) is worse than any; two missing ones are equal.

    Raises
    ------
    BenchmarkError
        If the scores are not two equally long lists.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise BenchmarkError(f"two optimizers need scores on the same tasks: {a.shape}, {b.shape}")
    d = _differences(a, b)
    order = rankdata(np.abs(d))
    zeros = float(order[d == 0].sum()) / 2
    plus, minus = float(order[d > 0].sum()) + zeros, float(order[d < 0].sum()) + zeros
    if not d.any():
        return Wilcoxon(plus, minus, 1.0, True)
    n = len(d)
    exact = n <= _EXACT and len(np.unique(np.abs(d))) == n and bool(np.all(d != 0))
    T = min(plus, minus)
    if exact:
        return Wilcoxon(plus, minus, _exact(n, round(T)), True)
    # Every rank enters with a random sign but those of zeros, which are halved whatever happens.
    variance = float((order[d != 0] ** 2).sum()) / 4
    z = (T - n * (n + 1) / 4) / math.sqrt(variance)
    return Wilcoxon(plus, minus, min(1.0, float(2 * norm.cdf(z))), False)


def holm(p: ArrayLike) -> Array:
    """Return p values corrected for their number, in the same order, shape (m,) [3].

    p(i) times (m - i + 1) for the i-th smallest, made monotone, at most 1.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    m = len(values)
    raised = np.maximum.accumulate(values[order] * np.arange(m, 0, -1)) if m else values
    out = np.empty(m)
    out[order] = np.minimum(raised, 1.0)
    return out


def _differences(a: Array, b: Array) -> Array:
    lost_a, lost_b = ~np.isfinite(a), ~np.isfinite(b)
    both = ~lost_a & ~lost_b
    d = np.zeros(len(a))
    d[both] = a[both] - b[both]
    beyond = 2 * (np.abs(d).max() + 1.0)
    d[lost_a & ~lost_b] = beyond
    d[~lost_a & lost_b] = -beyond
    return d


def _exact(n: int, T: int) -> float:
    """P(min(R+, R-) <= T) under chance: 2 P(R+ <= T), by counting subsets of 1..n by their sum."""
    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, n + 1):
        ways[rank:] += ways[:-rank].copy()
    return min(1.0, float(2 * ways[: T + 1].sum() / 2.0**n))
