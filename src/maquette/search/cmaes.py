"""CMA-ES: a Gaussian that learns the shape of the landscape from the ranks of its draws.

Every `population` trials that end make a generation: the mean moves to the weighted mean of the
better half, the step size follows the length of the evolution path, and the covariance matrix is
pulled towards directions that paid and, actively, away from those that did not [1, eq. 38 to 58].

- Whole numbers and choices keep a margin, see `maquette.search.margin`.
- Results may come late, in any order, or from elsewhere: a generation is whatever ended, and a
  config farther from the mean than a draw would be is taken in at that distance [2].
- A coordinate that does not exist in a config, and where within its cell a whole number lay, are
  drawn from the distribution in force: no information, and no bias.
- Trials that break a constraint rank after those that do not, then stopped ones by how far they
  came, failed ones last; equal ones share their weights, and where all are, nothing is learned.
- When a search has converged it starts again at random, by turns with a doubled population and
  with a small one and a small step, each for as many trials (BIPOP [3]), or always doubled (IPOP).

References
----------
.. [1] N. Hansen. The CMA Evolution Strategy: A Tutorial. arXiv:1604.00772, 2016.
.. [2] N. Hansen. Injecting External Solutions Into CMA-ES. arXiv:1110.4181, 2011.
.. [3] N. Hansen. Benchmarking a BI-Population CMA-ES on the BBOB-2009 Function Testbed. GECCO 2009.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import StudyError, nearest
from maquette.fidelity import Fidelity
from maquette.history import History, Problem
from maquette.rng import generator
from maquette.search.cell import one_metric
from maquette.search.climb import Ground, Pool
from maquette.search.gaussian import Gaussian, axes_of, fresh, memory, updated
from maquette.search.genes import known, untried
from maquette.search.machine import Told, folded
from maquette.surrogate.threads import single_threaded
from maquette.trial import Suggestion

Array = NDArray[np.float64]

RESTARTS = ("bipop", "ipop", "none")
# Draws of one proposal, of which the first is taken that lies inside and was not tried; and rounds.
DRAWS, ROUNDS = 16, 4
# A search has converged: in the unit cube, relative to the losses, as a condition number (B.3).
TOL_X, TOL_FUN, TOL_CONDITION = 1e-9, 1e-12, 1e14
# Names the stream of random numbers of restarts.
_RESTART = 1604


@final
@dataclass(frozen=True, slots=True)
class CMAES:
    """Searches by covariance matrix adaptation, with restarts.

    Parameters
    ----------
    sigma
        Initial step size as a share of every range, in (0, 1].
    population
        Trials of a generation, at least 4; None: 4 + 3 log d for d dimensions [1, eq. 48].
    restarts
        What follows convergence: ``"bipop"``, ``"ipop"`` or ``"none"``.

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    sigma: float = 1 / 6
    population: int | None = None
    restarts: str = "bipop"

    def __post_init__(self) -> None:
        problems = []
        if not 0.0 < self.sigma <= 1.0:
            problems.append(f"sigma must lie in (0, 1], not {self.sigma!r}")
        if self.population is not None and self.population < 4:
            problems.append(f"population must be at least 4, not {self.population!r}")
        if self.restarts not in RESTARTS:
            problems.append(
                f"unknown restarts {self.restarts!r}." + nearest(self.restarts, RESTARTS)
            )
        if problems:
            raise StudyError(problems)

    @single_threaded
    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` draws from the distribution in force; the first trial is the defaults."""
        one_metric(history, "cmaes")
        out: list[Suggestion] = []
        if not history.trials and n > 0:
            out.append(Suggestion(history.space.defaults(), "default"))
        state = folded(self, history)
        ground = Ground(history.space, history.domain)
        tried = known(history)
        why = {"generation": float(state.generation), "sigma": state.sigma}
        while len(out) < n:
            found = _draw(state, ground, tried, rng)
            tried = tried.joined(found)
            out.append(Suggestion(ground.config(found.X[0]), "cmaes", why))
        return out

    def init(self, problem: Problem) -> Gaussian:
        """Return the distribution before the first trial: around the defaults, or the priors."""
        axes = axes_of(problem.evidence, problem.seed)
        population = self.population or 4 + int(3 * math.log(max(axes.dimensions, 1)))
        return fresh(axes, axes.start, self.sigma, population)

    def step(self, state: Gaussian, told: Told) -> Gaussian:
        """Return the distribution after one more trial; it changes with every generation."""
        waiting = (*state.waiting, told)
        if len(waiting) < state.population:
            return replace(state, waiting=waiting)
        state = updated(replace(state, waiting=()), waiting)
        if self.restarts == "none" or not _converged(state):
            return state
        return self._restarted(state)

    def _restarted(self, state: Gaussian) -> Gaussian:
        """Return the start of the next search, from a random mean (section 2 of [3])."""
        axes, number = state.axes, state.restarts + 1
        rng = generator(axes.seed, _RESTART, number)
        m = rng.random(len(axes.numeric))
        first = self.population or 4 + int(3 * math.log(max(axes.dimensions, 1)))
        used = list(state.used)
        used[state.small] += state.generation * state.population
        small = self.restarts == "bipop" and number > 1 and used[1] < used[0]
        sigma, doublings = self.sigma, state.doublings + (not small)
        population = first * 2**doublings
        if small:
            u, v = rng.random(2)
            population = max(4, int(first * (0.5 * population / first) ** (u * u)))
            sigma = self.sigma * 10 ** (-2 * v)
        return replace(
            fresh(axes, m, sigma, population),
            restarts=number,
            doublings=doublings,
            small=small,
            used=(used[0], used[1]),
        )


def _draw(state: Gaussian, ground: Ground, tried: Pool, rng: np.random.Generator) -> Pool:
    """Return one config as a row; one that was not tried yet, if it is found in some rounds."""
    axes, spare = state.axes, None
    for _ in range(ROUNDS):
        x, values = state.draw(rng, DRAWS)
        # A draw outside is repeated; a few rounds of it, then it is moved to the border.
        order = np.argsort(((x < 0) | (x > 1)).any(axis=1), kind="stable")
        rows = np.full((DRAWS, axes.width), 0.5)
        rows[:, axes.numeric] = np.clip(x, 0.0, 1.0)
        rows[:, axes.choices] = (values + 0.5) / np.array([len(q) for q in state.q.q])
        found = ground.pool(rows[order])
        one = untried(found, tried)
        if one is not None:
            return one
        if spare is None and len(found.X):
            spare = found.only(0)
    if spare is None:
        # The distribution lies outside the constraints.
        anywhere = ground.anywhere(rng, 8 * DRAWS)
        near = np.abs(anywhere.X[:, axes.numeric] - state.m).sum(axis=1)
        spare = anywhere.only(int(np.argmin(near)))
    return spare


def _converged(state: Gaussian) -> bool:
    """Whether the search has nothing more to find where it is (appendix B.3)."""
    if not len(state.m):
        return False
    best = state.best
    if len(best) == memory(state):
        spread = max(best) - min(best)
        if spread <= TOL_FUN * max(1e-300, abs(max(best, key=abs))):
            return True
    extent = state.sigma * np.sqrt(np.diag(state.C))
    free = np.array([whole is None for whole in state.axes.whole])
    if free.any() and (extent[free] < TOL_X).all():
        return True
    return bool((state.D[-1] / state.D[0]) ** 2 > TOL_CONDITION)
