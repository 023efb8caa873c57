"""Conformal quantile regression: what may this config reach, whatever the noise looks like?

Boosted quantiles of the loss, conformalised, are sampled: each of many candidates gets one of five
quantiles at random, and the candidate that came out lowest is next, which is Thompson sampling with
independent draws [1]. No noise model is assumed, and losses enter by their rank alone, so that
heavy tails and scales do no harm.

- Every trial counts with the last loss that it reported, whatever its duration: with halving
  schedulers this is all that the searcher knows of durations, and all that it needs [1].
- Failed trials count as the worst, those that break a constraint come after all that do not.
- Where trials ran in several cells of a scale, they are ranked within their cell.

References
----------
.. [1] D. Salinas, J. Golebiowski, A. Klein, M. Seeger and C. Archambeau. Optimizing Hyperparameters
       with Conformal Quantile Regression. ICML 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.cell import cell_row, in_cell, one_metric
from maquette.search.climb import Ground, Pool, candidates, pool_of
from maquette.search.sobol import initial_design
from maquette.surrogate.conformal import Conformal, conformal
from maquette.surrogate.embedding import Embedding, embedding
from maquette.surrogate.gp import Points
from maquette.surrogate.observations import scale_row
from maquette.surrogate.scores import normal_scores
from maquette.surrogate.subset import subset
from maquette.surrogate.threads import single_threaded
from maquette.trial import Suggestion

Array = NDArray[np.float64]

# The model is learned from so many observations.
MOST = 400
KEPT = 5


@final
@dataclass(frozen=True, slots=True)
class CQR:
    """Searches with conformalised quantile regression.

    Parameters
    ----------
    initial
        Trials of the initial design, at least 1; None: d + 2, between 5 and 12, for d dimensions,
        or fewer where earlier studies tell more.
    candidates
        Configs that are sampled, a fifth of them around the best.
    trees
        Boosting rounds, at least 1.

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    initial: int | None = None
    candidates: int = 2000
    trees: int = 40

    def __post_init__(self) -> None:
        problems = []
        if self.initial is not None and self.initial < 1:
            problems.append(f"initial must be at least 1, not {self.initial!r}")
        if self.candidates < 5:
            problems.append(f"candidates must be at least 5, not {self.candidates!r}")
        if self.trees < 1:
            problems.append(f"trees must be at least 1, not {self.trees!r}")
        if problems:
            raise StudyError(problems)

    @single_threaded
    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs, each the lowest of a fresh draw."""
        one_metric(history, "cqr")
        opening = initial_design(history, self.initial, n)
        if opening is not None:
            return opening
        ground = Ground(history.space, history.domain)
        embed = embedding(history.domain, history.problem.scale)
        known = _known(history)
        model, scale = _model(embed, known, self.trees), cell_row(history, at)
        best = known.X[np.argsort(known.y, kind="stable")[:KEPT]]
        taken, out = in_cell(history, at), []
        for _ in range(n):
            anywhere, near = candidates(ground, best, rng, self.candidates // 5)
            wide = ground.anywhere(rng, self.candidates - 2 * (self.candidates // 5))
            pool = anywhere.joined(near).joined(wide)
            points = _points(embed, pool.X, pool.active, np.repeat(scale, len(pool.X), axis=0))
            drawn = model.sample(points, rng)[0]
            keys = pool.keys()
            order = np.argsort(drawn, kind="stable")
            i = int(next((i for i in order if keys[i] not in taken), order[0]))
            taken.add(keys[i])
            q = model.quantiles(points.take(np.array([i])))[:, 0]
            lower, median, upper = known.losses(q[[0, 2, 4]])
            why = {"quantile 1/6": lower, "median": median, "quantile 5/6": upper}
            out.append(Suggestion(ground.config(pool.X[i]), "cqr", why))
        return out


@final
@dataclass(frozen=True, slots=True)
class _Known:
    """Observed trials: rows, masks, cells, last losses (n,), and their normal scores y (n,)."""

    X: Array
    active: NDArray[np.bool_]
    scale: Array
    loss: Array
    y: Array

    def losses(self, scores: Array) -> list[float]:
        """Return the losses that stand where normal scores do, over all cells."""
        fine = np.isfinite(self.loss)
        found = np.interp(scores, np.sort(self.y[fine]), np.sort(self.loss[fine]))
        return [float(f"{v:.6g}") for v in found]


def _known(history: History) -> _Known:
    """Return what is known of trials that ended, or reported so far."""
    finished = history.finished
    loss = np.where(finished.ok, finished.loss, np.nan)
    broken = finished.violation > 0
    X, active, scale = finished.X, finished.active, finished.scale
    if history.problem.duration.axes:
        # What was stopped early stands at the last loss that it reported.
        for i in np.flatnonzero(~finished.ok):
            trial = history.trials[int(finished.trial[i])]
            if trial.losses and not trial.state.failed:
                loss[i] = trial.losses[-1]
        under_way = [t for t in history.pending if t.losses]
        if under_way:
            every = Pool(X, active).joined(pool_of(under_way))
            X, active = every.X, every.active
            scale = np.concatenate([scale, *(scale_row(history.axes, t.scale) for t in under_way)])
            loss = np.concatenate([loss, [t.losses[-1] for t in under_way]])
            broken = np.concatenate([broken, np.zeros(len(under_way), dtype=bool)])
    loss = np.where(np.isfinite(loss), loss, np.inf)
    # Sorts what breaks a constraint after all that does not, and what has no loss last of all.
    standing = np.where(np.isfinite(loss), broken.astype(float), 2.0)
    y = np.zeros(len(loss))
    _, cell = np.unique(scale, axis=0, return_inverse=True)
    for c in np.unique(cell.reshape(-1)):
        mine = np.flatnonzero(cell.reshape(-1) == c)
        pairs = np.stack([standing[mine], np.where(standing[mine] < 2.0, loss[mine], 0.0)], axis=1)
        place = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
        y[mine] = normal_scores(place.astype(float))
    return _Known(X, active, scale, loss, y)


def _model(embed: Embedding, known: _Known, trees: int) -> Conformal:
    rows = subset(known.y, MOST)
    points = _points(embed, known.X[rows], known.active[rows], known.scale[rows])
    return conformal(points, known.y[rows], trees)


def _points(embed: Embedding, X: Array, active: NDArray[np.bool_], scale: Array) -> Points:
    return Points(embed(X, active, scale), embed.group, np.zeros(len(X), dtype=np.intp))
