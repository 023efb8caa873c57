"""Rows of a space as points whose distances a kernel can use.

Every dimension becomes columns, and all columns of one *group* share a lengthscale:

- Float and Int: the coordinate in the unit cube; an inactive one stands at 1/2;
- Choice: indicators divided by sqrt(2), so that two different values are a distance 1 apart, any
  two alike (an exchangeable kernel on the Hamming distance); an inactive one is all zeros;
- several choices of the same values, as the layers of a network are: the mean of their indicators,
  so that how often each value is used has an effect of its own, wherever it is used;
- whether a conditional dimension exists: one 0/1 column each, in one group. Two configs that both
  lack a dimension are equal there, and one that has it is a learned distance from one that
  has not, in the spirit of the arc kernel [1];
- scale axes: the log of the ratio to the base, divided by the widest log ratio of the proxies.

All distances are Euclidean, so any kernel of the distance stays positive definite.

References
----------
.. [1] K. Swersky, D. Duvenaud, J. Snoek, F. Hutter and M. A. Osborne. Raiders of the Lost
       Architecture: Kernels for Bayesian Optimization in Conditional Parameter Spaces. 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.scale import Scale
from maquette.space import Choice, Float, Space

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Fewer choices of the same values have no count worth a lengthscale.
LEAST_ALIKE = 3


@final
@dataclass(frozen=True, slots=True)
class Embedding:
    """The columns that the dimensions and scale axes of a problem become.

    Attributes
    ----------
    numeric, conditional, axes
        Indices of the dimensions that give a coordinate and an existence column, and of the scale
        axes that vary.
    choices
        (dimension, number of values) of the choices.
    alike
        The places among `choices` of those that have the same values, `LEAST_ALIKE` or more.
    base, width
        Log of the base of every scale axis, and the widest log ratio, shape (axes,).
    group
        Group of every column, shape (p,).
    """

    numeric: NDArray[np.intp]
    conditional: NDArray[np.intp]
    axes: NDArray[np.intp]
    choices: tuple[tuple[int, int], ...]
    alike: tuple[tuple[int, ...], ...]
    base: Array
    width: Array
    group: NDArray[np.intp]

    @property
    def groups(self) -> int:
        """Number of lengthscales."""
        return int(self.group[-1]) + 1 if len(self.group) else 0

    def __call__(self, X: Array, active: Mask, scale: Array) -> Array:
        """Embed rows (n, d) with activity (n, d) at scales (n, axes); return shape (n, p)."""
        parts = [np.where(active[:, self.numeric], X[:, self.numeric], 0.5)]
        chosen = []
        for j, m in self.choices:
            index = np.clip((X[:, j] * m).astype(np.intp), 0, m - 1)
            one = (index[:, None] == np.arange(m)) & active[:, [j]]
            chosen.append(one * math.sqrt(0.5))
        parts += chosen
        parts += [np.mean([chosen[i] for i in group], axis=0) for group in self.alike]
        parts.append(active[:, self.conditional].astype(float))
        ratio = np.log(scale[:, self.axes]) - self.base[self.axes]
        parts.append(ratio / self.width[self.axes])
        return np.concatenate(parts, axis=1)

    def rows(self, Z: Array, space: Space) -> tuple[Array, Mask]:
        """Return the rows (n, d) and masks that points Z (n, p) stand for; constants at 1/2."""
        X = np.full((len(Z), space.dimensions), 0.5)
        active = np.ones(X.shape, dtype=bool)
        k = len(self.numeric)
        X[:, self.numeric] = Z[:, :k]
        for j, m in self.choices:
            X[:, j] = (Z[:, k : k + m].argmax(axis=1) + 0.5) / m
            k += m
        k += sum(self.choices[group[0]][1] for group in self.alike)
        active[:, self.conditional] = Z[:, k : k + len(self.conditional)] > 0.5
        return X, active


def embedding(space: Space, scale: Scale | None) -> Embedding:
    """Return the embedding of a space and the scale of its study; constants get no column."""
    cardinality, categorical = space.cardinality, space.is_categorical
    varies = _varies(space)
    numeric = np.flatnonzero(varies & ~categorical)
    choices = tuple((int(j), int(cardinality[j])) for j in np.flatnonzero(varies & categorical))
    alike = _alike(space, choices)
    conditional = np.array([j for j, p in enumerate(space.values()) if p.when], dtype=np.intp)
    cells = np.array([list(c.values()) for c in scale.cells] if scale else [[]], dtype=float)
    base = np.log(list(scale.base.values())) if scale else np.empty(0)
    width = np.abs(np.log(cells) - base).max(axis=0, initial=0.0)
    axes = np.flatnonzero(np.ptp(cells, axis=0) > 0) if cells.size else np.empty(0, dtype=np.intp)
    sizes = [1] * len(numeric) + [m for _, m in choices]
    sizes += [choices[group[0]][1] for group in alike]
    sizes += ([len(conditional)] if len(conditional) else []) + [1] * len(axes)
    group = np.repeat(np.arange(len(sizes)), sizes)
    return Embedding(numeric, conditional, axes, choices, alike, base, width, group)


def _alike(space: Space, choices: tuple[tuple[int, int], ...]) -> tuple[tuple[int, ...], ...]:
    """Return the places of choices that have the same values in the same order, in groups."""
    parameters, groups = list(space.values()), dict[str, list[int]]()
    for place, (j, _) in enumerate(choices):
        parameter = parameters[j]
        if isinstance(parameter, Choice):
            groups.setdefault(repr(parameter.values), []).append(place)
    return tuple(tuple(group) for group in groups.values() if len(group) >= LEAST_ALIKE)


def _varies(space: Space) -> Mask:
    """Return which dimensions hold more than one value, shape (d,)."""
    counts = space.cardinality.tolist()
    pairs = zip(space.values(), counts, strict=True)
    return np.array([p.low < p.high if isinstance(p, Float) else m > 1 for p, m in pairs])
