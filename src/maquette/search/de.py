"""Differential evolution: individuals move by the differences between others.

A population of NP configs; each trial attacks one place of it, in turn. For the parent x of that
place, three others a, b, c and a gene j [1, DE/rand/1/bin]

    v = a + F (b - c),    u_j = v_j with probability CR, else x_j,

and u takes the place of x if it is not worse. As in DEHB [3]

- the trial's number names its place, so that results may come late and in any order: whatever ends
  competes with who is there by then;
- with ``ASHA(mode="promote")`` trials that wait at a rung compete too: who came farther is better,
  at the same rung who has the lower loss;
- a gene outside its range is drawn anew;
- configs are decoded from a cube of numbers. But where within its cell a whole number lay is drawn
  anew, and a choice has no differences: where b and c differ it is drawn anew with probability F.

Half of the time a is one of the best fifth [2], and F is drawn for every trial [4]. The first NP
trials, users' own among them, are the first population: the defaults, then a Sobol sequence. Failed
trials and broken constraints lose to everything else. A population that has shrunk to a point keeps
its best and starts again.

References
----------
.. [1] R. Storn and K. Price. Differential Evolution: A Simple and Efficient Heuristic for Global
       Optimization over Continuous Spaces. Journal of Global Optimization 11, 1997.
.. [2] J. Zhang and A. C. Sanderson. JADE: Adaptive Differential Evolution with Optional External
       Archive. IEEE Transactions on Evolutionary Computation 13, 2009. (Section III A.)
.. [3] N. Awad, N. Mallik and F. Hutter. DEHB: Evolutionary Hyperband for Scalable, Robust and
       Efficient Hyperparameter Optimization. IJCAI 2021.
.. [4] S. Das, A. Konar and U. K. Chakraborty. Two Improved Differential Evolution Schemes for
       Faster Global Search. GECCO 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.history import History, Problem
from maquette.search.cell import one_metric
from maquette.search.climb import Ground
from maquette.search.genes import fallback, known, latent, opened, untried
from maquette.search.machine import Standing, Told, folded, so_far
from maquette.space import Space
from maquette.trial import State, Suggestion

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Children of one proposal, of which the first is taken that was not tried.
CHILDREN = 8
# Fewer individuals than this have no differences to move by.
LEAST = 4
# The share of the population that counts as best, and how often a is one of them.
BEST, GREED = 0.2, 0.5
# A population that spans less than this share of every range has converged.
TOL_X = 1e-4


@final
@dataclass(frozen=True, slots=True)
class DE:
    """Searches by differential evolution.

    Parameters
    ----------
    population
        Size NP, at least 4.
    F
        Least and largest scale of a difference, positive.
    CR
        Probability that a gene is taken from the mutant, in (0, 1].

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    population: int = 10
    F: tuple[float, float] = (0.4, 0.7)
    CR: float = 0.6

    def __post_init__(self) -> None:
        problems = []
        if self.population < LEAST:
            problems.append(f"population must be at least {LEAST}, not {self.population!r}")
        if not 0.0 < self.F[0] <= self.F[1]:
            problems.append(f"F must be two ascending positive numbers, not {self.F!r}")
        if not 0.0 < self.CR <= 1.0:
            problems.append(f"CR must lie in (0, 1], not {self.CR!r}")
        if problems:
            raise StudyError(problems)

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs: the first population, then children of the one in force."""
        one_metric(history, "de")
        state = folded(self, history)
        for trial in history.pending:  # at a rung, where most of them will stay
            if trial.state is State.PAUSED:
                told = Told(trial.number, trial.row, trial.active, so_far(trial))
                state = self.step(state, told)
        ground, tried = Ground(history.space, history.domain), known(history)
        out: list[Suggestion] = []
        for number in range(len(history.trials), len(history.trials) + n):
            place = number % self.population
            if state.empty(place) or len(state.filled) < LEAST:
                found, one = opened(history, number, tried, rng)
                out.append(found)
                tried = tried.joined(one)
                continue
            rows = self._children(state, place, rng)
            one = untried(ground.pool(rows), tried) or fallback(ground, tried, rng)
            tried = tried.joined(one)
            why = {"place": float(place), "spread": state.spread}
            out.append(Suggestion(ground.config(one.X[0]), "de", why))
        return out

    def _children(self, state: Population, place: int, rng: np.random.Generator) -> Array:
        """Return children (CHILDREN, d) of the parent at a place."""
        filled, m, d = state.filled, CHILDREN, state.Z.shape[1]
        others = filled[filled != place]
        a, b, c = np.array([rng.permutation(others)[:3] for _ in range(m)]).T
        best = state.order[: max(1, round(BEST * len(filled)))]
        a = np.where(rng.random(m) < GREED, rng.choice(best, m), a)
        F = rng.uniform(*self.F, size=(m, 1))
        a_, b_, c_, x = state.Z[a], state.Z[b], state.Z[c], state.Z[place]
        v = a_ + F * (b_ - c_)
        anew = rng.random((m, d))
        v = np.where((v < 0) | (v > 1), anew, v)
        differ = state.X[b] != state.X[c]
        chosen = np.where(differ & (rng.random((m, d)) < F), anew, a_)
        v = np.where(state.choices, chosen, v)
        taken = rng.random((m, d)) < self.CR
        taken[np.arange(m), rng.integers(d, size=m)] = True
        return np.asarray(np.where(taken, v, x))

    def init(self, problem: Problem) -> Population:
        """Return the empty population."""
        space, n = problem.evidence, self.population
        empty = np.full((n, space.dimensions), 0.5)
        active = np.zeros(empty.shape, dtype=bool)
        return Population(space, problem.seed, empty, empty, active, (None,) * n)

    def step(self, state: Population, told: Told) -> Population:
        """Return the population after one more trial has competed for its place."""
        place = told.trial % self.population
        there = state.standing[place]
        if there is not None and told.standing > there:
            return state
        hidden = None if there is None else state.Z[place]
        Z, X, active = state.Z.copy(), state.X.copy(), state.active.copy()
        Z[place] = latent(state.space, state.seed, told, hidden)
        X[place], active[place] = told.x, told.active
        standing = (*state.standing[:place], told.standing, *state.standing[place + 1 :])
        state = replace(state, Z=Z, X=X, active=active, standing=standing)
        if len(state.filled) < self.population or state.spread > TOL_X:
            return state
        kept = int(state.order[0])
        only = tuple(s if i == kept else None for i, s in enumerate(standing))
        return replace(state, standing=only, restarts=state.restarts + 1)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """NP places: genes Z, the configs X that they decode to with masks, and how they stand.

    Shapes (NP, d); the standing of an empty place is None.
    """

    space: Space
    seed: int
    Z: Array
    X: Array
    active: Mask
    standing: tuple[Standing | None, ...]
    restarts: int = 0

    def empty(self, place: int) -> bool:
        """Whether nobody stands at a place."""
        return self.standing[place] is None

    @property
    def filled(self) -> NDArray[np.intp]:
        """The places that are taken, ascending."""
        return np.array([i for i, s in enumerate(self.standing) if s is not None], dtype=np.intp)

    @property
    def order(self) -> NDArray[np.intp]:
        """The places that are taken, best first."""
        ranked = sorted((s, i) for i, s in enumerate(self.standing) if s is not None)
        return np.array([i for _, i in ranked], dtype=np.intp)

    @property
    def choices(self) -> Mask:
        """Which genes are choices, shape (d,)."""
        return self.space.is_categorical

    @property
    def spread(self) -> float:
        """The widest range of configs along any gene that all of them show, or 1 if they differ
        in which genes those are.
        """
        X, active = self.X[self.filled], self.active[self.filled]
        if not len(X) or (active != active[0]).any():
            return 1.0
        return float(np.ptp(np.where(active, X, 0.0), axis=0).max(initial=0.0))
