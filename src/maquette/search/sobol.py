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
from maquette.search.zeroshot import zero_shot
from maquette.space import Config, Space
from maquette.trial import Suggestion

# Names the stream of random numbers that scrambles the sequence; any constant would do.
_SCRAMBLE = 271828
# Below this many results there is nothing to model.
LEAST = 3
# Configs that pasts put first.
MOST_LED = 3


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


def initial_design(
    history: History, initial: int | None, n: int, *, led_on: bool = True, most: int = 12
) -> list[Suggestion] | None:
    """Return the next `n` suggestions before there is a model; None once there is enough for one.

    Parameters
    ----------
    history
        Of the study.
    initial
        Trials of the initial design; None: d + 2, between 5 and `most`, for d dimensions, or with
        pasts that lead two more than the configs they put first.
    n
        How many suggestions are asked for.
    led_on
        Whether pasts, if there are any, may shorten it.
    most
        Trials of the longest design, where `initial` is None.
    """
    known, led = len(history.trials), lead(history) if led_on else []
    wanted = initial or (len(led) + 2 if led else min(max(history.space.dimensions + 2, 5), most))
    if known >= max(wanted, LEAST) and int(history.finished.ok.sum()) >= LEAST:
        return None
    return opening(history, n)


def opening(history: History, n: int) -> list[Suggestion]:
    """Return the next `n` suggestions of an initial design.

    Those of `design`, but for two cases. With pasts, the best config that they know comes first,
    and the next best after the default. Where parameters have priors, every other point is carried
    to where the priors put it, the first to their centre; the rest stay, for priors may be wrong.
    """
    space, seed, first = history.space, history.problem.seed, len(history.trials)
    led = lead(history)
    ahead = [*led[:1], Suggestion(space.defaults(), "default"), *led[1:]] if led else []
    out = ahead[first : first + n]
    first, n = first + len(out) - len(led), n - len(out)
    rest = design(space, seed, first, n)
    if any(p.prior is not None for p in space.values()):
        for i in range((first + 1) % 2, n, 2):
            unit = points(space.dimensions, seed, first + i - 1, 1)
            if first + i == 1:
                unit[:] = 0.5
            rest[i] = Suggestion(space.from_unit(space.at_prior(unit))[0], "prior")
    return out + rest


def lead(history: History) -> list[Suggestion]:
    """Return what pasts put first: their portfolio, up to `MOST_LED` configs; without the default.

    With several metrics there is none: a past speaks of one loss.
    """
    problem, space = history.problem, history.space
    if not problem.past or len(history.objective.metrics) > 1:
        return []
    default = space.key(space.defaults())
    found = zero_shot(space, problem.scale, problem.past, MOST_LED)
    return [Suggestion(c, "past") for c in found if space.key(c) != default]


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
