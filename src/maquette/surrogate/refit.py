"""When a model is learned anew, and from which trials.

A model refits only at fixed counts of ended trials, from fixed starting points; in between, its
hyperparameters stay, or the splits of its trees. A fresh instance finds them from the same first
trials, so that *cold equals warm* bit for bit; a cache only saves the time.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar, final

import numpy as np

from maquette.columns import Finished
from maquette.history import Problem
from maquette.surrogate.gp import Hyperparameters, Points, fit
from maquette.surrogate.observations import Observations, observe
from maquette.surrogate.plausible import Plausible, plausible
from maquette.surrogate.subset import subset

T = TypeVar("T")

# Hyperparameters are learned from at most so many observations, each step of which costs n^3; a
# model is conditioned, which is done once, on more.
MOST_LEARNED = 256
MOST_CONDITIONED = 800


def refit_count(ended: int) -> int:
    """Return the count of ended trials at which a model of `ended` trials was last refitted.

    Every count up to 32, then at every ceil(1.1 n): 32, 36, 40, 44, 49, ...
    """
    n = min(ended, 32)
    while n >= 32 and math.ceil(round(1.1 * n, 6)) <= ended:
        n = math.ceil(round(1.1 * n, 6))
    return n


def learned_from(problem: Problem, finished: Finished) -> tuple[Points, np.ndarray]:
    """Return the points and values that hyperparameters are learned from."""
    return part(observe(problem, finished), MOST_LEARNED)


def learn_hyperparameters(problem: Problem, finished: Finished) -> Hyperparameters:
    """Return the hyperparameters learned from finished trials; of many, from a part."""
    return fit(*learned_from(problem, finished))


def learn_most_probable(problem: Problem, finished: Finished) -> Plausible:
    """Return the hyperparameters learned from finished trials, as if they were certain."""
    return Plausible((learn_hyperparameters(problem, finished),), (1.0,))


def learn_plausible(problem: Problem, finished: Finished) -> Plausible:
    """Return what the hyperparameters may be after finished trials; of many, after a part."""
    return plausible(*learned_from(problem, finished))


def part(seen: Observations, most: int = MOST_CONDITIONED) -> tuple[Points, np.ndarray]:
    """Return the points and values of the observations to model, in order; of many, a `subset`."""
    if len(seen.y) <= most:
        return seen.points, seen.y
    keep = subset(seen.y, most)
    return seen.points.take(keep), seen.y[keep]


@final
class Refits(Generic[T]):
    """What was learned at the refit counts, kept by what it was learned from.

    Parameters
    ----------
    learn
        Learns from a problem and its first finished trials, and from nothing else.
    size
        How many to keep; the least recently used goes first.
    """

    def __init__(self, learn: Callable[[Problem, Finished], T], size: int = 32) -> None:
        self._learn = learn
        self._size = size
        self._kept: OrderedDict[tuple[object, ...], T] = OrderedDict()

    def __call__(self, problem: Problem, finished: Finished) -> T:
        """Return what is in force after the trials in `finished`."""
        first = finished.first(refit_count(len(finished)))
        digest = hashlib.blake2b(digest_size=16)
        for column in (first.X, first.active, first.losses, first.excess, first.scale):
            digest.update(np.ascontiguousarray(column).tobytes())
        digest.update(" ".join(first.state.tolist()).encode())
        where = (problem.evidence, problem.scale, problem.past)
        key = (*where, problem.seed, len(first), digest.hexdigest())
        if key not in self._kept:
            self._kept[key] = self._learn(problem, first)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
