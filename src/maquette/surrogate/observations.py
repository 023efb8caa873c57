"""From a history's finished trials to points and standardised values.

Only trials that are done, with a finite loss, are observations. Losses of different proxy cells
have different floors: every cell is centred by its median, shrunk towards a line in the log scale
coordinates while it holds few trials; what is left of the differences is the model's cell effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.history import Problem
from maquette.surrogate.embedding import Embedding, embedding
from maquette.surrogate.gp import Points
from maquette.surrogate.warp import Warp, learn

Array = NDArray[np.float64]

# A cell's own median counts as many trials as it has, the line through all cells as this many.
LINE_WEIGHT = 3.0
# Losses beyond this count as this: differences of them must be floating-point numbers.
LARGEST = 1e300


@final
@dataclass(frozen=True, slots=True)
class Cells:
    """The cells that trials ran in: their scales (k, axes) and their floors (k,)."""

    scale: Array
    floor: Array
    line: Array  # coefficients of the floor on (1, embedded axes)

    def index(self, scale: Array) -> NDArray[np.intp]:
        """Return the number of each row's cell (n,); a cell not seen is numbered k."""
        same = (scale[:, None, :] == self.scale[None, :, :]).all(axis=2)
        return np.where(same.any(axis=1), same.argmax(axis=1), len(self.scale))


@final
@dataclass(frozen=True, slots=True)
class Observations:
    """Observed trials, ready for a model.

    Attributes
    ----------
    rows
        Which finished trials they are, shape (n,).
    points, y
        Embedded inputs, and outputs in standard units, shape (n,).
    """

    embed: Embedding
    rows: NDArray[np.intp]
    points: Points
    y: Array
    cells: Cells
    warp: Warp

    def place(self, X: Array, active: NDArray[np.bool_], scale: Array) -> Points:
        """Return the points of rows (m, d) at scales (m, axes)."""
        return Points(self.embed(X, active, scale), self.embed.group, self.cells.index(scale))

    def place_trials(self, finished: Finished, rows: NDArray[np.intp]) -> Points:
        """Return the points of some finished trials, where they ran."""
        return self.place(finished.X[rows], finished.active[rows], finished.scale[rows])

    def standard(self, loss: Array | float, scale: Array) -> Array:
        """Turn losses (m,), or one, at scales (m, axes) into standard units, shape (m,)."""
        loss = np.clip(loss, -LARGEST, LARGEST)
        return np.asarray(self.warp.forward(loss - self._floor(scale)))

    def losses(self, mean: Array, sd: Array, scale: Array) -> tuple[Array, Array]:
        """Turn means and standard deviations (m,) at scales (m, axes) into losses."""
        return self.warp.back(mean) + self._floor(scale), sd * self.warp.slope(mean)

    def _floor(self, scale: Array) -> Array:
        index = self.cells.index(scale)
        known = index < len(self.cells.floor)
        floor = np.concatenate([self.cells.floor, [0.0]])[index]
        return np.where(known, floor, _features(self.embed, scale) @ self.cells.line)


def observe(problem: Problem, finished: Finished) -> Observations:
    """Return the observations among finished trials."""
    embed = embedding(problem.evidence, problem.scale)
    rows = np.flatnonzero(finished.ok)
    loss, scale = np.clip(finished.loss[rows], -LARGEST, LARGEST), finished.scale[rows]
    cells = _cells(embed, finished.scale, rows, loss)
    residual = loss - np.append(cells.floor, 0.0)[cells.index(scale)] if len(rows) else loss
    warp = learn(residual)
    Z = embed(finished.X[rows], finished.active[rows], scale)
    points = Points(Z, embed.group, cells.index(scale))
    return Observations(embed, rows, points, warp.forward(residual), cells, warp)


def scale_row(axes: tuple[str, ...], scale: Mapping[str, float]) -> Array:
    """Return a cell as a row (1, axes)."""
    return np.array([[float(scale[name]) for name in axes]]).reshape(1, len(axes))


def _features(embed: Embedding, scale: Array) -> Array:
    """Return (1, log scale coordinates) of scales (n, axes)."""
    u = (np.log(scale[:, embed.axes]) - embed.base[embed.axes]) / embed.width[embed.axes]
    return np.concatenate([np.ones((len(scale), 1)), u], axis=1)


def _cells(embed: Embedding, scale: Array, rows: NDArray[np.intp], loss: Array) -> Cells:
    """Return the cells with their floors; without a scale one cell, whose floor is zero.

    Cells are numbered over all finished trials, so that models of different metrics agree; a cell
    without an observation has the line's floor.
    """
    if scale.shape[1] == 0 or len(loss) == 0:
        line = np.zeros(1 + len(embed.axes))
        return Cells(scale[:1], np.zeros(min(1, len(scale))), line)
    distinct, index = np.unique(scale, axis=0, return_inverse=True)
    index = index.reshape(-1)[rows]
    count = np.bincount(index, minlength=len(distinct))
    median = np.array(
        [np.median(loss[index == c]) if count[c] else 0.0 for c in range(len(distinct))]
    )
    features = _features(embed, distinct)
    weight = count / (count + 1.0)
    ridge = np.diag([0.0] + [0.01] * (features.shape[1] - 1))
    gram = features.T @ (features * weight[:, None]) + ridge
    line = np.linalg.solve(gram, features.T @ (weight * median))
    floor = (count * median + LINE_WEIGHT * (features @ line)) / (count + LINE_WEIGHT)
    return Cells(distinct, floor, line)
