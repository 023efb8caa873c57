"""Gradient-boosted oblivious trees: a surrogate for a table that is no grid.

All splits of one level of an oblivious tree [1] are the same, so that a tree of depth k is k
comparisons and a table of 2^k values: quick to fit and to evaluate with numpy, and smooth enough as
a sum of hundreds. A tree is fitted to the gradients g and curvatures h of the loss at the sum so
far; a leaf holds -sum(g) / (sum(h) + ridge), times the rate [2].

References
----------
.. [1] L. Prokhorenkova, G. Gusev, A. Vorobev, A. V. Dorogush and A. Gulin. CatBoost: Unbiased
       Boosting with Categorical Features. NeurIPS, 2018. arXiv:1706.09516.
.. [2] T. Chen and C. Guestrin. XGBoost: A Scalable Tree Boosting System. KDD, 2016.
       arXiv:1603.02754.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """How trees are fitted.

    Parameters
    ----------
    trees, depth, rate, ridge
        Number of trees, splits in each, step length, and the leaves' regularisation.
    bins
        Candidates for a threshold in each column.
    part
        Share of the rows that each tree sees.
    logistic
        Whether y is 0 or 1 and the sum its log odds; otherwise the squared error is minimised.
    seed
        Of the choice of rows.
    """

    trees: int = 300
    depth: int = 6
    rate: float = 0.1
    ridge: float = 1.0
    bins: int = 32
    part: float = 0.7
    logistic: bool = False
    seed: int = 0


@final
@dataclass(frozen=True, slots=True)
class Trees:
    """A sum of oblivious trees.

    Attributes
    ----------
    base
        What every prediction starts from.
    columns, thresholds
        Splits, shape (trees, depth): right where the column is above the threshold.
    leaves
        Shape (trees, 2^depth).
    """

    base: float
    columns: NDArray[np.int64]
    thresholds: Array
    leaves: Array

    def __call__(self, X: Array) -> Array:
        """Evaluate at rows (n, p): shape (n,)."""
        total = np.full(len(X), self.base)
        powers = 1 << np.arange(self.columns.shape[1])
        for columns, thresholds, leaves in zip(
            self.columns, self.thresholds, self.leaves, strict=True
        ):
            total += leaves[(X[:, columns] > thresholds) @ powers]
        return total


def fit(X: Array, y: Array, settings: Settings) -> Trees:
    """Fit trees to rows X (n, p) and values y (n,)."""
    s = settings
    rng = np.random.default_rng(s.seed)
    edges = [_edges(x, s.bins) for x in X.T]
    codes = np.stack([np.searchsorted(e, x) for e, x in zip(edges, X.T, strict=True)], axis=1)
    base = float(_log_odds(y.mean()) if s.logistic else y.mean())
    total = np.full(len(y), base)
    columns = np.zeros((s.trees, s.depth), dtype=np.int64)
    thresholds = np.zeros((s.trees, s.depth))
    leaves = np.zeros((s.trees, 2**s.depth))
    for t in range(s.trees):
        p = 1 / (1 + np.exp(-total))
        g, h = (p - y, p * (1 - p)) if s.logistic else (total - y, np.ones(len(y)))
        seen = np.flatnonzero(rng.random(len(y)) < s.part)
        columns[t], cuts = _grow(codes[seen], g[seen], h[seen], s)
        thresholds[t] = [
            edges[j][c] if c < len(edges[j]) else np.inf
            for j, c in zip(columns[t], cuts, strict=True)
        ]
        at = (X[:, columns[t]] > thresholds[t]) @ (1 << np.arange(s.depth))
        G = np.bincount(at[seen], g[seen], 2**s.depth)
        H = np.bincount(at[seen], h[seen], 2**s.depth)
        leaves[t] = -s.rate * G / (H + s.ridge)
        total += leaves[t][at]
    return Trees(base, columns, thresholds, leaves)


def _edges(x: Array, bins: int) -> Array:
    """Return thresholds between the values of a column, at most bins - 1, rising."""
    values = np.unique(x)
    if len(values) > bins:
        values = np.unique(np.quantile(x, np.linspace(0, 1, bins)))
    return np.asarray((values[1:] + values[:-1]) / 2)


def _grow(
    codes: NDArray[np.int64], g: Array, h: Array, s: Settings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the splits of one tree, level by level: (columns, places of thresholds)."""
    p = codes.shape[1]
    columns, cuts = np.zeros(s.depth, dtype=np.int64), np.zeros(s.depth, dtype=np.int64)
    leaf = np.zeros(len(g), dtype=np.int64)
    offset = codes + s.bins * np.arange(p)
    weights = [np.repeat(w, p) for w in (g, h)]
    for level in range(s.depth):
        size = 2**level
        cell = (offset + leaf[:, None] * (s.bins * p)).ravel()
        shape = (size, p, s.bins)
        left = [np.bincount(cell, w, size * p * s.bins).reshape(shape).cumsum(2) for w in weights]
        whole = [w[..., -1:] for w in left]
        gain = left[0] ** 2 / (left[1] + s.ridge)
        gain += (whole[0] - left[0]) ** 2 / (whole[1] - left[1] + s.ridge)
        score = gain.sum(axis=0)
        columns[level], cuts[level] = np.unravel_index(int(score.argmax()), score.shape)
        leaf += size * (codes[:, columns[level]] > cuts[level])
    return columns, cuts


def _log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))
