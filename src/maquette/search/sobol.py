"""Scrambled Sobol search: a low-discrepancy sequence over the space.

The i-th trial of a study takes the i-th point, so the sequence goes on after a resume, whoever
proposes.

References
----------
.. [1] A. B. Owen. Scrambling Sobol' and Niederreiter-Xing Points. J. Complexity 14(4), 1998.
.. [2] S. Joe and F. Y. Kuo. Constructing Sobol Sequences with Better Two-Dimensional Projections.
       SIAM J. Sci. Comput. 30(5), 2008. (The direction numbers, as SciPy ships them.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.rng import generator
from maquette.space import Config, Space
from maquette.trial import Suggestion

# Names the stream of random numbers that scrambles the sequence; any constant would do.
_SCRAMBLE = 271828
# Below this many results there is nothing to model.
LEAST = 3


@final
@dataclass(frozen=True, slots=True)
class Sobol:
    """Takes the points of one scrambled Sobol sequence in turn.

    Parameters
    ----------
    default_first
        Whether the first trial is the space's default config.
    """

    default_first: bool = True

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return the configs of the next `n` trial numbers; `rng` is not used."""
        first = len(history.trials)
        return design(history.space, history.problem.seed, first, n, default=self.default_first)


def design(
    space: Space, seed: int, first: int, n: int, *, default: bool = True
) -> list[Suggestion]:
    """Return the suggestions of trials `first` to ``first + n - 1``."""
    suggestions = []
    if default and first == 0 and n > 0:
        suggestions.append(Suggestion(space.defaults(), "default"))
        first, n = 1, n - 1
    skipped = first - 1 if default else first
    configs: list[Config] = space.from_unit(points(space.dimensions, seed, skipped, n))
    return suggestions + [Suggestion(config, "sobol") for config in configs]


def initial_design(history: History, initial: int | None, n: int) -> list[Suggestion] | None:
    """Return the next `n` suggestions before there is a model; None once there is enough for one.

    Parameters
    ----------
    history
        Of the study.
    initial
        Trials of the initial design; None: d + 2, between 5 and 12, for d dimensions.
    n
        How many suggestions are asked for.
    """
    space, known = history.space, len(history.trials)
    wanted = initial or min(max(space.dimensions + 2, 5), 12)
    if known >= wanted and int(history.finished.ok.sum()) >= LEAST:
        return None
    return opening(space, history.problem.seed, known, n)


def opening(space: Space, seed: int, first: int, n: int) -> list[Suggestion]:
    """Return the suggestions of trials `first` to ``first + n - 1`` of an initial design.

    Those of `design`; where parameters have priors, every other one is carried to where the priors
    put it, the first of them to their centre. The rest stay, for priors may be wrong.
    """
    suggestions = design(space, seed, first, n)
    if all(p.prior is None for p in space.values()):
        return suggestions
    for i in range((first + 1) % 2, n, 2):
        unit = points(space.dimensions, seed, first + i - 1, 1)
        if first + i == 1:
            unit[:] = 0.5
        suggestions[i] = Suggestion(space.from_unit(space.at_prior(unit))[0], "prior")
    return suggestions


def points(d: int, seed: int, first: int, n: int) -> np.ndarray:
    """Return points ``first`` to ``first + n - 1`` of the sequence of a seed, shape (n, d)."""
    from scipy.stats import qmc

    if n < 1:
        return np.empty((0, d))
    engine = qmc.Sobol(d, scramble=True, seed=generator(seed, _SCRAMBLE))
    if first:
        engine.fast_forward(first)
    # A power of two keeps SciPy from warning about balance, which a running sequence has anyway.
    block = engine.random(1 << (n - 1).bit_length())
    return np.asarray(block[:n], dtype=float)
