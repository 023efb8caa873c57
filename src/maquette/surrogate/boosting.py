"""Gradient boosting of several quantiles at once, on histograms.

With F the quantile of level q so far, each tree is grown on the negative gradient of the pinball
loss, q - 1[y < F], by squared error [1]; its leaves take the q-quantile of the residuals in them,
times the learning rate. Features are binned once [2], and all levels grow side by side, so that a
depth of a tree is one pass over the data.

References
----------
.. [1] J. H. Friedman. Greedy Function Approximation: A Gradient Boosting Machine. Annals of
       Statistics 29(5), 2001.
.. [2] G. Ke et al. LightGBM: A Highly Efficient Gradient Boosting Decision Tree. NeurIPS 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

BINS = 32
# Of a tree; the learning rate; and the fewest points of a leaf.
DEPTH, RATE, LEAST = 3, 0.15, 3


@final
@dataclass(frozen=True, slots=True)
class Boosted:
    """Trees for L levels over p features.

    Attributes
    ----------
    levels
        Rising, in (0, 1), shape (L,).
    base
        The quantiles before the first tree, shape (L,).
    edges
        Upper edges of the bins of each feature, shape (p, BINS - 1); padded with infinity.
    feature, threshold
        What the nodes of a depth ask: is the bin of a feature <= threshold? For each tree and
        depth, shape (L, nodes); a threshold of BINS sends all to the left.
    value
        Of the leaves, for each tree, shape (L, leaves).
    """

    levels: Array
    base: Array
    edges: Array
    feature: tuple[tuple[Index, ...], ...]
    threshold: tuple[tuple[Index, ...], ...]
    value: tuple[Array, ...]

    def predict(self, Z: Array) -> Array:
        """Return the quantiles at m points (m, p), shape (L, m); they never cross."""
        B = _binned(self.edges, Z)
        out = np.repeat(self.base[:, None], len(Z), axis=1)
        rows = np.arange(len(Z))
        for feature, threshold, value in zip(self.feature, self.threshold, self.value, strict=True):
            node = np.zeros(out.shape, dtype=np.intp)
            for asked, at_most in zip(feature, threshold, strict=True):
                node = _below(B, rows, node, asked, at_most)
            out += np.take_along_axis(value, node, axis=1)
        return np.asarray(np.sort(out, axis=0))


def boost(Z: Array, y: Array, levels: Array, *, trees: int = 40) -> Boosted:
    """Return quantiles boosted on n >= 1 points (n, p) and outputs (n,).

    Parameters
    ----------
    levels
        Of the quantiles, rising, in (0, 1).
    trees
        Number of trees.
    """
    n, L = len(y), len(levels)
    edges = _edges(Z)
    B = _binned(edges, Z)
    base = np.quantile(y, levels)
    F = np.repeat(base[:, None], n, axis=1)
    rows = np.arange(n)
    features, thresholds, values = [], [], []
    for _ in range(trees if Z.shape[1] else 0):
        gradient = levels[:, None] - (y < F)
        node = np.zeros((L, n), dtype=np.intp)
        asked, at_most = [], []
        for d in range(DEPTH):
            feature, threshold = _splits(B, gradient, node, 2**d)
            node = _below(B, rows, node, feature, threshold)
            asked.append(feature)
            at_most.append(threshold)
        value = RATE * _leaves(y - F, node, 2**DEPTH, levels)
        F += np.take_along_axis(value, node, axis=1)
        features.append(tuple(asked))
        thresholds.append(tuple(at_most))
        values.append(value)
    return Boosted(levels, base, edges, tuple(features), tuple(thresholds), tuple(values))


def _edges(Z: Array) -> Array:
    """Return upper edges of up to BINS bins of each feature, between values that occur."""
    edges = np.full((Z.shape[1], BINS - 1), np.inf)
    for j, column in enumerate(Z.T):
        values = np.unique(column)
        middle = 0.5 * (values[1:] + values[:-1])
        if len(middle) > BINS - 1:
            middle = middle[np.linspace(0, len(middle) - 1, BINS - 1).round().astype(int)]
        edges[j, : len(middle)] = middle
    return edges


def _binned(edges: Array, Z: Array) -> Index:
    """Return the bin of each feature of points (m, p), shape (m, p)."""
    B = np.empty(Z.shape, dtype=np.intp)
    for j, column in enumerate(Z.T):
        B[:, j] = np.searchsorted(edges[j], column)
    return B


def _below(B: Index, rows: Index, node: Index, feature: Index, threshold: Index) -> Index:
    """Return the nodes (L, m) one depth further down."""
    asked = np.take_along_axis(feature, node, axis=1)
    right = B[rows, asked] > np.take_along_axis(threshold, node, axis=1)
    return np.asarray(2 * node + right)


def _splits(B: Index, gradient: Array, node: Index, nodes: int) -> tuple[Index, Index]:
    """Return the best split of each node, by squared error: features and bins (L, nodes)."""
    L, p = len(gradient), B.shape[1]
    group = (np.arange(L)[:, None] * nodes + node)[:, :, None] * p + np.arange(p)
    index = (group * BINS + B).reshape(-1)
    size = L * nodes * p * BINS
    count = np.bincount(index, minlength=size).reshape(L, nodes, p, BINS).cumsum(axis=3)
    weight = np.repeat(gradient.reshape(-1), p)
    total = np.bincount(index, weight, minlength=size).reshape(L, nodes, p, BINS).cumsum(axis=3)
    left, right = count, count[..., -1:] - count
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = total**2 / left + (total[..., -1:] - total) ** 2 / right
    gain[(left < LEAST) | (right < LEAST)] = -1.0
    flat = gain.reshape(L, nodes, p * BINS)
    best = flat.argmax(axis=2)
    found = np.take_along_axis(flat, best[..., None], axis=2)[..., 0] >= 0.0
    return best // BINS, np.where(found, best % BINS, BINS)


def _leaves(residual: Array, node: Index, leaves: int, levels: Array) -> Array:
    """Return each level's quantile of the residuals (L, n) in each leaf, (L, leaves); 0 if none."""
    L = len(residual)
    key = (np.arange(L)[:, None] * leaves + node).reshape(-1)
    order = np.lexsort((residual.reshape(-1), key))
    ordered = residual.reshape(-1)[order]
    count = np.bincount(key, minlength=L * leaves)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    at = np.repeat(levels, leaves) * np.maximum(count - 1, 0)
    low = np.minimum(start + np.floor(at).astype(np.intp), len(ordered) - 1)
    high = np.minimum(start + np.ceil(at).astype(np.intp), len(ordered) - 1)
    value = ordered[low] + (at - np.floor(at)) * (ordered[high] - ordered[low])
    return np.asarray(np.where(count > 0, value, 0.0).reshape(L, leaves))
