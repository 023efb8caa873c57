"""The cross-entropy method: a distribution is fitted to the best of its own draws, again and again.

Every N trials that end make a generation. With the elite, its best share rho, the distribution f of
parameters v moves to where the elite is most likely [1, section 3], smoothed,

    v' = argmax_v sum_elite log f(x; v),    v <- alpha v' + (1 - alpha) v:

normal densities of the numbers, cut off at the ends of their ranges, and frequencies of the values
of choices. Left to itself that collapses before it has arrived. So standard deviations keep above
a floor that falls as one over the generation [2], and every value of a choice keeps a share.

- The first generation is the defaults and a Sobol sequence; users' own trials count in theirs.
- A generation is whatever ended, in the order it ended; the elite before it competes again.
- A whole number lies anywhere in its cell. A parameter learns from those of the elite that have it.
- Failed trials and broken constraints are never better than others; where all are alike, nothing is
  learned.

References
----------
.. [1] P.-T. de Boer, D. P. Kroese, S. Mannor and R. Y. Rubinstein. A Tutorial on the Cross-Entropy
       Method. Annals of Operations Research 134, 2005.
.. [2] I. Szita and A. Lőrincz. Learning Tetris Using the Noisy Cross-Entropy Method. Neural
       Computation 18, 2006.
"""

from __future__ import annotations

import math
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
from maquette.search.machine import Told, folded
from maquette.space import Choice, Space
from maquette.trial import Suggestion

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Draws of one proposal, of which the first is taken that is allowed and was not tried.
DRAWS = 16
# The standard deviation of a uniform distribution.
UNIFORM = 1 / math.sqrt(12)


@final
@dataclass(frozen=True, slots=True)
class CEM:
    """Searches by the cross-entropy method.

    Parameters
    ----------
    population
        Trials of a generation N, at least 4.
    rho
        Share of a generation that is its elite, in (0, 1); at least two trials are.
    alpha
        Weight of the elite against the distribution before, in (0, 1].
    floor
        Least standard deviation in the second generation, as a share of every range, at least 0;
        it falls as one over the generation. Also the share of draws that choices are uniform in.

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    population: int = 16
    rho: float = 0.25
    alpha: float = 0.7
    floor: float = 0.1

    def __post_init__(self) -> None:
        problems = []
        if self.population < 4:
            problems.append(f"population must be at least 4, not {self.population!r}")
        if not 0.0 < self.rho < 1.0:
            problems.append(f"rho must lie between 0 and 1, not {self.rho!r}")
        if not 0.0 < self.alpha <= 1.0:
            problems.append(f"alpha must lie in (0, 1], not {self.alpha!r}")
        if not 0.0 <= self.floor < 1.0:
            problems.append(f"floor must lie in [0, 1), not {self.floor!r}")
        if problems:
            raise StudyError(problems)

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs: the first generation, then draws from the distribution in force."""
        one_metric(history, "cem")
        state = folded(self, history)
        ground, tried = Ground(history.space, history.domain), known(history)
        why = {"generation": float(state.generation), "spread": float(state.sd.mean())}
        out: list[Suggestion] = []
        for number in range(len(history.trials), len(history.trials) + n):
            if state.generation == 0:
                found, one = opened(history, number, tried, rng)
            else:
                pool = ground.pool(state.draw(rng, DRAWS))
                one = untried(pool, tried) or fallback(ground, tried, rng)
                found = Suggestion(ground.config(one.X[0]), "cem", why)
            out.append(found)
            tried = tried.joined(one)
        return out

    def init(self, problem: Problem) -> Fitted:
        """Return the uniform distribution."""
        space = problem.evidence
        d = space.dimensions
        q = tuple(
            np.full(len(p.values), 1.0 / len(p.values)) if isinstance(p, Choice) else np.ones(1)
            for p in space.values()
        )
        return Fitted(space, problem.seed, np.full(d, 0.5), np.full(d, UNIFORM), q)

    def step(self, state: Fitted, told: Told) -> Fitted:
        """Return the distribution after one more trial; it changes with every generation."""
        waiting = (*state.waiting, told)
        if len(waiting) < self.population:
            return replace(state, waiting=waiting)
        ranked = sorted((*state.elite, *waiting), key=lambda t: t.standing)
        state = replace(state, waiting=())
        if ranked[0].standing == ranked[-1].standing:
            return state
        worth = [t for t in ranked if t.standing[0] == ranked[0].standing[0] < 3]
        elite = tuple(worth[: max(2, round(self.rho * self.population))])
        return self._fitted(replace(state, elite=elite, generation=state.generation + 1))

    def _fitted(self, state: Fitted) -> Fitted:
        """Return the distribution moved to its elite."""
        alpha, elite, mean, sd = self.alpha, state.elite, state.mean.copy(), state.sd.copy()
        Z = np.array([latent(state.space, state.seed, t) for t in elite])
        active = np.array([t.active for t in elite])
        floor = self.floor / state.generation
        q = list(state.q)
        for j in np.flatnonzero(active.sum(axis=0) >= 2):
            z, m = Z[active[:, j], j], len(q[j])
            mean[j] = alpha * z.mean() + (1 - alpha) * mean[j]
            sd[j] = max(alpha * z.std() + (1 - alpha) * sd[j], floor)
            if m > 1:
                values = np.minimum((z * m).astype(int), m - 1)
                share = np.bincount(values, minlength=m) / len(values)
                moved = alpha * share + (1 - alpha) * q[j]
                q[j] = (1 - self.floor) * moved + self.floor / m
        return replace(state, mean=mean, sd=sd, q=tuple(q))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The distribution and what it comes from.

    Attributes
    ----------
    mean, sd
        Of the numbers, before they are cut off, shape (d,); of no meaning for choices.
    q
        Frequencies of the values of each choice; a single 1 for a number.
    generation, elite, waiting
        Of how many generations it learned, the best of the last, and what has ended since.
    """

    space: Space
    seed: int
    mean: Array
    sd: Array
    q: tuple[Array, ...]
    generation: int = 0
    elite: tuple[Told, ...] = ()
    waiting: tuple[Told, ...] = ()

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """Return n rows (n, d) of the unit cube."""
        from scipy.special import ndtr, ndtri

        low, high = ndtr(-self.mean / self.sd), ndtr((1 - self.mean) / self.sd)
        u = rng.random((n, len(self.mean)))
        rows = np.clip(self.mean + self.sd * ndtri(low + u * (high - low)), 0.0, 1.0)
        for j, q in enumerate(self.q):
            if len(q) > 1:
                value = np.searchsorted(np.cumsum(q)[:-1], u[:, j], "right")
                rows[:, j] = (value + 0.5) / len(q)
        return np.asarray(rows)
