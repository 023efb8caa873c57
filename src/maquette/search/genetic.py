"""Evolution of configs: parents by tournament, children by crossover and mutation.

Parents come from a population of the trials that have ended, each the best of a few drawn from it.
A child takes every gene from either parent, and some genes change. Two populations:

- ``"age"``: the trials that ended last. Nothing lives for ever, so that what was lucky once is
  measured anew or dies: regularised evolution [1].
- ``"rank"``: the best of all. With several metrics by layers of the Pareto front and, within a
  layer, by the room that a config has to itself: NSGA-II [2].

Configs may have different lengths. A gene is a parameter, aligned by its name: where a child needs
one that the parent it should come from does not have, it comes from the other parent, and where
neither has it (a layer that was added) it is drawn from the priors [3].

- Numbers change by a step, of a tenth of their range and at least to the next whole number, or now
  and then anywhere; choices take another value. So nothing is ever lost for good.
- The first trials are the defaults and a Sobol sequence; users' own count. Failed trials come last;
  while nothing has ended well, the design goes on.
- Where trials ran in several cells of a scale they are ranked within their cell.

References
----------
.. [1] E. Real, A. Aggarwal, Y. Huang and Q. V. Le. Regularized Evolution for Image Classifier
       Architecture Search. AAAI 2019.
.. [2] K. Deb, A. Pratap, S. Agarwal and T. Meyarivan. A Fast and Elitist Multiobjective Genetic
       Algorithm: NSGA-II. IEEE Transactions on Evolutionary Computation 6, 2002.
.. [3] X. Xiao, M. Yan, S. Basodi, C. Ji and Y. Pan. Efficient Hyperparameter Optimization in Deep
       Learning Using a Variable Length Genetic Algorithm. arXiv:2006.12703, 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import StudyError, nearest
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.climb import Ground, Pool
from maquette.search.genes import dimensions, fallback, known, opened, untried, widths
from maquette.search.standing import ranks
from maquette.space import Space
from maquette.trial import Suggestion

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SURVIVAL = ("age", "rank")
# Children of one proposal, of which the first is taken that was not tried.
CHILDREN = 8
# Standard deviation of a step, in the unit cube, and how often a number is drawn anew instead.
STEP, ANEW = 0.1, 0.1


@final
@dataclass(frozen=True, slots=True)
class Genetic:
    """Searches by evolution.

    Parameters
    ----------
    population
        Trials that parents come from, at least 2.
    tournament
        How many of them are drawn for each parent, at least 1.
    crossover
        Probability that a child has two parents, in [0, 1].
    survival
        Who is in the population: ``"rank"``, the best of all, or ``"age"``, those that ended last.

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    population: int = 10
    tournament: int = 3
    crossover: float = 0.7
    survival: str = "rank"

    def __post_init__(self) -> None:
        problems = []
        if self.population < 2:
            problems.append(f"population must be at least 2, not {self.population!r}")
        if self.tournament < 1:
            problems.append(f"tournament must be at least 1, not {self.tournament!r}")
        if not 0.0 <= self.crossover <= 1.0:
            problems.append(f"crossover must lie in [0, 1], not {self.crossover!r}")
        if self.survival not in SURVIVAL:
            problems.append(
                f"unknown survival {self.survival!r}." + nearest(str(self.survival), SURVIVAL)
            )
        if problems:
            raise StudyError(problems)

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs: the first population, then children of the one in force."""
        ground, finished = Ground(history.space, history.domain), history.finished
        tried = known(history)
        rank = ranks(finished)
        if self.survival == "age":
            alive = np.arange(max(0, len(rank) - self.population), len(rank))
        else:
            alive = np.argsort(rank, kind="stable")[: self.population]
        alive = alive[np.isfinite(rank[alive])] if np.isfinite(rank).any() else alive[:0]
        order = alive[np.argsort(rank[alive], kind="stable")]
        parents = Pool(finished.X[order], finished.active[order])
        out: list[Suggestion] = []
        for number in range(len(history.trials), len(history.trials) + n):
            if number < self.population or len(order) < 2:
                found, one = opened(history, number, tried, rng)
                out.append(found)
            else:
                rows = self._children(history, parents, rng)
                one = untried(ground.pool(rows), tried) or fallback(ground, tried, rng)
                why = {"parents": float(len(order))}
                out.append(Suggestion(ground.config(one.X[0]), "genetic", why))
            tried = tried.joined(one)
        return out

    def _children(self, history: History, parents: Pool, rng: np.random.Generator) -> Array:
        """Return children (CHILDREN, d) of parents, who stand best first."""
        domain, m = history.domain, CHILDREN
        # The best of some that are drawn is the one that stands first.
        mother, father = rng.integers(len(parents.X), size=(2, m, self.tournament)).min(axis=2)
        father = np.where(rng.random(m) < self.crossover, father, mother)
        one, two = (
            (parents.X[mother], parents.active[mother]),
            (parents.X[father], parents.active[father]),
        )
        drawn = domain.at_prior(rng.random((m, domain.dimensions)))
        genes = crossed(one, two, drawn, rng)
        return mutated(domain, genes, one[1] | two[1], drawn, rng)


def crossed(
    mother: tuple[Array, Mask], father: tuple[Array, Mask], drawn: Array, rng: np.random.Generator
) -> Array:
    """Return children (m, d), each gene from a parent that has it, or else as `drawn` (m, d)."""
    swap = rng.random(drawn.shape) < 0.5
    (X, has), (Y, others) = mother, father
    first, second = np.where(swap, Y, X), np.where(swap, X, Y)
    has, others = np.where(swap, others, has), np.where(swap, has, others)
    return np.asarray(np.where(has, first, np.where(others, second, drawn)))


def mutated(
    space: Space, genes: Array, active: Mask, drawn: Array, rng: np.random.Generator
) -> Array:
    """Return children (m, d) in each of which at least one gene has changed.

    Parameters
    ----------
    space
        What the genes are.
    genes, active
        Children before mutation, and which genes a parent has, shape (m, d).
    drawn
        Values for what is drawn anew, shape (m, d).
    rng
        Draws what changes, and by how much.
    """
    m, d = genes.shape
    single = space.cardinality == 1
    odds = np.where(active & ~single, 1.0 / dimensions(space), 0.0)
    changes = rng.random((m, d)) < odds
    # Where none did, one of those that exist does.
    weight = rng.random((m, d)) * (odds > 0)
    still = ~changes.any(axis=1)
    changes[still, np.argmax(weight[still], axis=1)] = True
    step = STEP * rng.standard_normal((m, d))
    step += np.sign(step) * 0.5 * widths(space)
    anew = space.is_categorical | (rng.random((m, d)) < ANEW)
    # A choice takes one of its other values: some places on, round about.
    count = np.maximum(space.cardinality, 1)
    on = np.floor(rng.random((m, d)) * np.maximum(count - 1, 1)) + 1
    turned = (genes + on / count) % 1.0
    moved = np.where(anew, drawn, np.clip(genes + step, 0.0, 1.0))
    moved = np.where(space.is_categorical, turned, moved)
    return np.asarray(np.where(changes, moved, genes))
