"""Random-forest search, as in SMAC: steep landscapes, many choices, deep conditions.

The expected improvement under a random forest [1, 2], in logarithms, on losses whose upper tail is
drawn in logarithmically. It is maximised by local search [1, section 4.3]: from random configs and
from the best ones known, by changing one setting at a time. Every few proposals one is drawn at
random, so that the forest's blind spots are visited too.

- Splits are learned anew at fixed counts of ended trials; results in between enter the leaves.
- Pending trials are believed at the forest's mean, and thrown away; a trial that was stopped early
  at its mean or the median, whichever is worse.
- Failed trials, or those that break a constraint on a metric, teach a second forest; the
  acquisition is the expected improvement times the chance of success.
- Priors of the space's parameters weigh the improvement, less with every result.
- Configs that were already proposed in the same cell are passed over while there are others.

References
----------
.. [1] F. Hutter, H. H. Hoos and K. Leyton-Brown. Sequential Model-Based Optimization for General
       Algorithm Configuration. LION 2011.
.. [2] M. Lindauer et al. SMAC3: A Versatile Bayesian Optimization Package for Hyperparameter
       Optimization. JMLR 23, 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.history import History, Problem
from maquette.rng import generator
from maquette.search.acquisition import MARGIN, log_h
from maquette.search.cell import cell_row, in_cell, one_metric, unsuccessful
from maquette.search.climb import Ground, Pool, candidates, pool_of
from maquette.search.expert import Expert, expert
from maquette.search.sobol import initial_design
from maquette.surrogate.comparable import inside
from maquette.surrogate.forest import Forest as Trees
from maquette.surrogate.forest import grow
from maquette.surrogate.observations import Observations, observe
from maquette.surrogate.refit import Refits, part
from maquette.surrogate.threads import single_threaded
from maquette.trial import State, Suggestion

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Local search: this many configs are kept, each changed in this many ways, for so many rounds.
KEPT, CHANGES, ROUNDS = 5, 12, 6
STEP = 0.2  # standard deviation of a change of a number, in the unit cube [1]
# Names the stream of random numbers that grows trees.
_GROWTH = 2011


@final
@dataclass(frozen=True, slots=True)
class Forest:
    """Searches with a random forest.

    Parameters
    ----------
    initial
        Trials of the initial design, at least 1; None: d + 2, between 5 and 12, for d dimensions,
        or fewer where earlier studies tell more.
    trees
        Number of trees, at least 2.
    candidates
        Random configs, and as many around the best, that the local search starts from.
    random
        Share of proposals that are drawn at random, in [0, 1).

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    initial: int | None = None
    trees: int = 10
    candidates: int = 256
    random: float = 0.2
    _refits: Refits[_Grown] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = []
        if self.initial is not None and self.initial < 1:
            problems.append(f"initial must be at least 1, not {self.initial!r}")
        if self.trees < 2:
            problems.append(f"trees must be at least 2, not {self.trees!r}")
        if self.candidates < 1:
            problems.append(f"candidates must be at least 1, not {self.candidates!r}")
        if not 0.0 <= self.random < 1.0:
            problems.append(f"random must lie in [0, 1), not {self.random!r}")
        if problems:
            raise StudyError(problems)
        object.__setattr__(self, "_refits", Refits(self._grow))

    @single_threaded
    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs, each chosen as if those before it were already pending."""
        one_metric(history, "forest")
        opening = initial_design(history, self.initial, n)
        if opening is not None:
            return opening
        model = self._model(history, at)
        taken, priors = in_cell(history, at), model.priors
        out = []
        for _ in range(n):
            by_chance = float(rng.random()) < self.random
            found, value = model.best(rng, self.candidates, taken, by_chance=by_chance)
            why = {**model.prediction(found), "log_ei": value}
            if priors is not None:
                why |= priors.why(found.X[0], found.active[0])
            origin = "forest:random" if by_chance else "forest:log-ei"
            out.append(Suggestion(model.ground.config(found.X[0]), origin, why))
            taken.update(found.keys())
            model = model.believing(found)
        return out

    def _grow(self, problem: Problem, first: Finished) -> _Grown:
        """Return the forests of the first trials."""
        seen = observe(problem, first)
        rng = generator(problem.seed, _GROWTH, len(first))
        points, y = part(seen)
        if not len(y):
            points, y = seen.place_trials(first, np.arange(min(1, len(first)))), np.zeros(1)
        loss = grow(points.Z, y, rng, trees=self.trees, share=5 / 6)
        failed = unsuccessful(first)
        success = None
        if failed.any():
            rows = np.flatnonzero(failed | first.ok)
            labels = np.where(failed[rows], 0.0, 1.0)
            Z = seen.place_trials(first, rows).Z
            success = grow(Z, labels, rng, trees=self.trees, share=5 / 6, least=3)
        return _Grown(seen, loss, success, len(first))

    def _model(self, history: History, at: Fidelity) -> _Model:
        """Return the forests with all trials in their leaves, pending ones last."""
        problem, finished = history.problem, history.finished
        grown = self._refits(problem, finished)
        seen, loss, success = grown.seen, grown.loss, grown.success
        new = np.arange(grown.count, len(finished))
        fresh = new[finished.ok[new]]
        loss = loss.with_more(
            seen.place_trials(finished, fresh).Z,
            seen.standard(finished.loss[fresh], finished.scale[fresh]),
        )
        failed = unsuccessful(finished)
        if success is not None:
            rows = new[(failed | finished.ok)[new]]
            labels = np.where(failed[rows], 0.0, 1.0)
            success = success.with_more(seen.place_trials(finished, rows).Z, labels)
        stopped = np.flatnonzero(finished.state == State.STOPPED)
        if len(stopped):
            Z = seen.place_trials(finished, stopped).Z
            loss = loss.with_more(Z, np.maximum(loss.predict(Z)[0], 0.0))
        rows = np.flatnonzero(finished.ok)
        feasible = rows[~(finished.violation[rows] > 0)]
        rows = inside(history, feasible if len(feasible) else rows)
        scale = cell_row(history, at)
        ground = Ground(history.space, history.domain)
        model = _Model(ground, seen, scale, loss, success, 0.0, finished.X[rows[:0]])
        mean = loss.predict(model.place(Pool(finished.X[rows], finished.active[rows])))[0]
        order = np.argsort(mean, kind="stable")[:KEPT]
        known, priors = finished.X[rows[order]], expert(history)
        if priors is not None:
            known = np.concatenate([known, priors.centre()])
        model = _Model(ground, seen, scale, loss, success, float(mean.min()), known, priors)
        if pending := history.pending:
            model = model.believing(pool_of(pending))
        return model


@final
@dataclass(frozen=True, slots=True)
class _Grown:
    """What was learned of the first `count` finished trials."""

    seen: Observations
    loss: Trees
    success: Trees | None
    count: int


@final
@dataclass(frozen=True, slots=True)
class _Model:
    """The acquisition function at one cell, and the rows (k, d) of the best configs known."""

    ground: Ground
    seen: Observations
    scale: Array
    loss: Trees
    success: Trees | None
    incumbent: float
    known: Array
    priors: Expert | None = None

    def place(self, pool: Pool) -> Array:
        """Return the features (m, p) of configs."""
        return self.seen.place(pool.X, pool.active, np.repeat(self.scale, len(pool.X), axis=0)).Z

    def __call__(self, pool: Pool) -> Array:
        """Return the log of the expected improvement, plus the log chance of success, (m,)."""
        Z = self.place(pool)
        mean, variance = self.loss.predict(Z)
        sd = np.sqrt(variance)
        value = log_h((self.incumbent - MARGIN - mean) / sd) + np.log(sd)
        if self.success is not None:
            # A leaf of failures alone may still be mistaken.
            value = value + np.log(np.maximum(self.success.predict(Z)[0], 1e-3))
        if self.priors is not None:
            value = value + self.priors.weight * self.priors(pool.X, pool.active)
        return np.asarray(value)

    def best(
        self, rng: np.random.Generator, m: int, taken: set[bytes], *, by_chance: bool
    ) -> tuple[Pool, float]:
        """Return the best config found that is not taken, or one drawn by chance, and its value."""
        anywhere, near = candidates(self.ground, self.known, rng, m)
        if by_chance or not len(near.X):
            found = anywhere
            order = np.arange(len(found.X))
        else:
            found = self._searched(_joined(anywhere, near), rng)
            order = np.argsort(-self(found), kind="stable")
        keys = found.keys()
        free = next((i for i in order if keys[i] not in taken), order[0])
        one = Pool(found.X[free : free + 1], found.active[free : free + 1])
        return one, float(self(one)[0])

    def _searched(self, found: Pool, rng: np.random.Generator) -> Pool:
        """Return configs and what local search from the best of them came upon."""
        kept, values = found, self(found)
        highest = float(values.max())
        for _ in range(ROUNDS):
            order = np.argsort(-values, kind="stable")[:KEPT]
            kept, values = Pool(kept.X[order], kept.active[order]), values[order]
            changed = self.ground.pool(_changed(self.ground, kept.X, rng))
            if not len(changed.X):
                break
            new = self(changed)
            found = _joined(found, changed)
            kept, values = _joined(kept, changed), np.concatenate([values, new])
            if not new.max() > highest + 1e-9:
                break
            highest = float(new.max())
        return found

    def prediction(self, one: Pool) -> dict[str, float]:
        """Return mean and standard deviation of the loss at one config."""
        mean, variance = self.loss.predict(self.place(one))
        loss, sd = self.seen.losses(mean, np.sqrt(variance), self.scale)
        return {"mean": float(loss[0]), "sd": float(sd[0])}

    def believing(self, pool: Pool) -> _Model:
        """Return the model that has also seen its own mean at some configs."""
        Z = self.place(pool)
        mean = self.loss.predict(Z)[0]
        loss = self.loss.with_more(Z, mean)
        incumbent = min(self.incumbent, float(mean.min()))
        return replace(self, loss=loss, incumbent=incumbent)


def _changed(ground: Ground, rows: Array, rng: np.random.Generator) -> Array:
    """Return rows (k, d) with one setting changed in each of several ways."""
    d = ground.domain.dimensions
    out = np.repeat(rows, CHANGES, axis=0)
    i, j = np.arange(len(out)), rng.integers(d, size=len(out))
    moved = np.clip(out[i, j] + STEP * rng.standard_normal(len(out)), 0.0, 1.0)
    out[i, j] = np.where(ground.domain.is_categorical[j], rng.random(len(out)), moved)
    return out


def _joined(one: Pool, other: Pool) -> Pool:
    return Pool(np.concatenate([one.X, other.X]), np.concatenate([one.active, other.active]))
