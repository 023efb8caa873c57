"""How many seeds does a claim need?

References
----------
.. [1] J. Cohen. Statistical Power Analysis for the Behavioral Sciences. 2nd ed., 1988.
.. [2] C. Colas, O. Sigaud and P.-Y. Oudeyer. How Many Random Seeds? Statistical Power Analysis in
       Deep Reinforcement Learning Experiments. arXiv:1806.08295, 2018.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from maquette.errors import BenchmarkError

# Beyond so many seeds the claim is out of reach in practice.
MOST = 100_000


def seeds_needed(differences: ArrayLike, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Return the number of paired seeds at which a difference like this one would be found.

    Parameters
    ----------
    differences
        Score of one optimizer less that of the other, seed by seed, shape (n,), n >= 2.
    alpha
        Two-sided level of the paired t test [2].
    power
        Chance that the test finds a difference of the observed size.

    Returns
    -------
    int or None
        At least 2; None if the observed difference is zero or would need over 100,000 seeds.

    Raises
    ------
    BenchmarkError
        If there are fewer than two differences.
    """
    d = np.asarray(differences, dtype=float)
    d = d[np.isfinite(d)]
    if len(d) < 2:
        raise BenchmarkError("at least two seeds are needed to see how much they differ")
    mean, spread = abs(float(d.mean())), float(d.std(ddof=1))
    if spread <= 1e-12 * mean:
        return 2 if mean else None
    return _least(mean / spread, alpha, power)


def _least(effect: float, alpha: float, power: float) -> int | None:
    """The least n at which a paired t test has the power: doubled, then bisected."""
    high = 2
    while _power(effect, high, alpha) < power:
        if high >= MOST:
            return None
        high = min(2 * high, MOST)
    low = max(1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(effect, middle, alpha) >= power else (middle, high)
    return high


def _power(effect: float, n: int, alpha: float) -> float:
    """Chance that the t statistic, noncentral by effect sqrt(n), passes its critical value [1]."""
    bar = float(stats.t.isf(alpha / 2, n - 1))
    shift = effect * math.sqrt(n)
    if n > 1000 or shift > 20:  # the normal limit, where the noncentral t may underflow
        return float(stats.norm.sf((bar - shift) / math.sqrt(1 + bar**2 / (2 * (n - 1)))))
    return float(stats.nct.sf(bar, n - 1, shift) + stats.nct.cdf(-bar, n - 1, shift))
