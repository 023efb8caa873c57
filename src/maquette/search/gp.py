"""Gaussian-process search: where is the expected improvement largest?

An initial design (the default config, then a Sobol sequence) is followed by the maximum of the
logarithm of the expected improvement [1] on the lowest posterior mean among observed configs: a
measured value may be lucky, a posterior mean less so.

- Pending trials are believed to come out at their posterior mean ("kriging believer"). They are
  conditioned on last, and thrown away.
- A trial that the scheduler stopped early is no observation; it is believed to come out at its
  posterior mean or at the median, whichever is worse, so that the search does not return there.
- Failed trials (diverged, out of memory, crashed, timed out, or breaking a constraint on a metric)
  teach a classifier; the acquisition is the expected improvement times the chance of success.
- Where a scale is declared, one model covers all cells through the logs of the scale coordinates.
- Configs that were already proposed in the same cell are passed over while there are others.

References
----------
.. [1] S. Ament, S. Daulton, D. Eriksson, M. Balandat and E. Bakshy. Unexpected Improvements to
       Expected Improvement for Bayesian Optimization. NeurIPS 2023.
.. [2] C. Hvarfner, E. O. Hellsten and L. Nardi. Vanilla Bayesian Optimization Performs Great in
       High Dimensions. ICML 2024.
.. [3] D. Ginsbourger, R. Le Riche and L. Carraro. Kriging Is Well-Suited to Parallelize
       Optimization. 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.acquisition import LogEI, classifier
from maquette.search.climb import Ground, Pool, candidates, climb
from maquette.search.sobol import design
from maquette.surrogate.gp import Points
from maquette.surrogate.observations import Observations, observe, scale_row
from maquette.surrogate.posterior import Posterior, condition
from maquette.surrogate.refit import Refits, part
from maquette.surrogate.threads import single_threaded
from maquette.trial import State, Suggestion

Array = NDArray[np.float64]

# Below this many observations there is nothing to model.
LEAST = 3
# An improvement by less, in standard units, is worth nothing: the search looks elsewhere instead of
# polishing an optimum to the last digit.
MARGIN = 1e-3


@final
@dataclass(frozen=True, slots=True)
class GP:
    """Searches with a Gaussian process.

    Parameters
    ----------
    initial
        Trials of the initial design, at least 1; None: d + 2, between 5 and 12, for d dimensions.
    candidates
        Random and local points each that the acquisition function is first evaluated at.
    starts
        Points that it is climbed from.

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    initial: int | None = None
    candidates: int = 256
    starts: int = 4
    _refits: Refits = field(default_factory=Refits, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = {
            "initial": 1 if self.initial is None else self.initial,
            "candidates": self.candidates,
            "starts": self.starts,
        }
        problems = [f"{name} must be at least 1, not {v!r}" for name, v in given.items() if v < 1]
        if problems:
            raise StudyError(problems)

    @single_threaded
    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs, each chosen as if those before it were already pending."""
        space, known = history.space, len(history.trials)
        waiting = self.initial or min(max(space.dimensions + 2, 5), 12)
        if known < waiting or int(history.finished.ok.sum()) < LEAST:
            return design(space, history.problem.seed, known, n)
        model = self._model(history, at)
        taken = _taken(history, at)
        suggestions = []
        for _ in range(n):
            row, active, value = self._best(model, taken, rng)
            pool = Pool(row[None], active[None])
            here = model.place(row[None], active[None])
            why = {**model.prediction(here), "log_ei": value}
            suggestions.append(Suggestion(model.ground.config(row), "gp:log-ei", why))
            taken.update(pool.keys())
            model = model.believing(here)
        return suggestions

    def _model(self, history: History, at: Fidelity) -> _Model:
        """Return the model of all trials, pending ones last."""
        problem, finished = history.problem, history.finished
        theta = self._refits(problem, finished)
        seen = observe(problem, finished)
        points, y = part(seen)
        posterior = condition(theta, points, y)
        scale = _scale(history, at)
        stopped = np.flatnonzero(finished.state == State.STOPPED)
        if len(stopped):
            lost = _place(seen, finished, stopped)
            bad = np.maximum(posterior.predict(lost)[0], float(np.median(y)))
            posterior = condition(theta, points.joined(lost), np.concatenate([y, bad]))
        feasible = ~(finished.violation[seen.rows] > 0)
        rows = seen.rows[feasible] if feasible.any() else seen.rows
        inside = [i for i in rows if not history.trials[finished.trial[i]].outside]
        rows = np.array(inside, dtype=np.intp) if inside else rows
        X, active = finished.X[rows], finished.active[rows]
        mean, _ = posterior.predict(seen.place(X, active, np.repeat(scale, len(X), axis=0)))
        order = np.argsort(mean, kind="stable")[:5]
        incumbent = float(mean.min())
        pending = history.pending
        if pending:
            X_p, active_p = (
                np.array([t.row for t in pending]),
                np.array([t.active for t in pending]),
            )
            # The next trial should improve on what the pending ones are believed to reach.
            here = seen.place(X_p, active_p, np.repeat(scale, len(pending), axis=0))
            incumbent = min(incumbent, float(posterior.predict(here)[0].min()))
            scales = np.concatenate([scale_row(history.axes, t.scale) for t in pending])
            posterior = posterior.believing(seen.place(X_p, active_p, scales))
        target = LogEI(posterior, incumbent - MARGIN, _success(seen, finished))
        return _Model(history, seen, target, scale, X[order])

    def _best(
        self, model: _Model, taken: set[bytes], rng: np.random.Generator
    ) -> tuple[Array, NDArray[np.bool_], float]:
        """Return the row of the largest acquisition value found, its mask, and the value."""
        ground, target = model.ground, model.target
        found: list[tuple[Array, NDArray[np.bool_], float]] = []
        for pool in candidates(ground, model.best, rng, self.candidates):
            if not len(pool.X):
                continue
            values = target(model.place(pool.X, pool.active))
            order = np.argsort(-values, kind="stable")
            for i in order[: (self.starts + 1) // 2]:
                start = pool.X[i], pool.active[i]
                found.append(climb(ground, model.seen.embed, target, model.place, start))
            # What was not climbed from stands by, should every summit be taken.
            found += [(pool.X[i], pool.active[i], float(values[i])) for i in order]
        found.sort(key=lambda entry: -entry[2])
        for row, active, value in found:
            if Pool(row[None], active[None]).keys()[0] not in taken:
                return row, active, value
        return found[0]


@final
@dataclass(frozen=True, slots=True)
class _Model:
    """The acquisition function at one cell, and the rows (k, d) of the best configs known."""

    history: History
    seen: Observations
    target: LogEI
    scale: Array
    best: Array

    @property
    def ground(self) -> Ground:
        return Ground(self.history.space, self.history.domain)

    def place(self, X: Array, active: NDArray[np.bool_]) -> Points:
        return self.seen.place(X, active, np.repeat(self.scale, len(X), axis=0))

    def prediction(self, at: Points) -> dict[str, float]:
        mean, variance = self.target.posterior.predict(at)
        loss, sd = self.seen.losses(mean, np.sqrt(variance), self.scale)
        return {"mean": float(loss[0]), "sd": float(sd[0])}

    def believing(self, at: Points) -> _Model:
        mean, _ = self.target.posterior.predict(at)
        incumbent = min(self.target.incumbent, float(mean.min()) - MARGIN)
        posterior = self.target.posterior.believing(at)
        target = LogEI(posterior, incumbent, self.target.success)
        return _Model(self.history, self.seen, target, self.scale, self.best)


def _success(seen: Observations, finished: Finished) -> Posterior | None:
    """Return the model of where trials end well, or None if all did."""
    broken = (finished.violation > 0) | np.array([s.failed for s in finished.state], dtype=bool)
    broken |= (finished.state == State.DONE) & ~finished.ok
    rows = np.flatnonzero(broken | finished.ok)
    return classifier(_place(seen, finished, rows), ~broken[rows])


def _place(seen: Observations, finished: Finished, rows: NDArray[np.intp]) -> Points:
    return seen.place(finished.X[rows], finished.active[rows], finished.scale[rows])


def _scale(history: History, at: Fidelity) -> Array:
    """Return the cell asked for as a row (1, axes); axes that it leaves out are at their base."""
    base = history.problem.scale.base if history.problem.scale else {}
    return scale_row(history.axes, {**base, **at.scale})


def _taken(history: History, at: Fidelity) -> set[bytes]:
    """Return the keys of all configs proposed in the cell."""
    cell = dict(zip(history.axes, _scale(history, at)[0], strict=True))
    trials = history.in_cell(cell)
    if not trials:
        return set()
    return set(Pool(np.array([t.row for t in trials]), np.array([t.active for t in trials])).keys())
