"""Tree-structured Parzen estimator: where are good configs denser than bad ones?

Trials are split at the quantile gamma into good and bad. With l the density of the good and g that
of the bad, expected improvement grows with l(x) / g(x) [1, eq. 4], so candidates are drawn from l
and the one of the largest ratio is next.

- Densities are multivariate [2, 3], over mixed and conditional spaces.
- Good configs weigh by how far they lie below the quantile, which is what expected improvement
  asks for [3].
- Trials that break a constraint come after all that do not, by how far they break it; stopped and
  failed trials come last. Pending ones are bad until they are known.
- With several metrics trials are ranked by layers of the Pareto front, within a layer by what its
  hypervolume would lose without them [4].
- Priors of the space's parameters weigh the ratio, less with every result.
- Where trials ran in several cells of a scale, they are ranked within their cell.

References
----------
.. [1] J. Bergstra, R. Bardenet, Y. Bengio and B. Kégl. Algorithms for Hyper-Parameter
       Optimization. NeurIPS 2011.
.. [2] S. Falkner, A. Klein and F. Hutter. BOHB: Robust and Efficient Hyperparameter Optimization at
       Scale. ICML 2018.
.. [3] S. Watanabe. Tree-Structured Parzen Estimator: Understanding Its Algorithm Components and
       Their Roles for Better Empirical Performance. arXiv:2304.11127, 2023.
.. [4] Y. Ozaki, Y. Tanigaki, S. Watanabe and M. Onishi. Multiobjective Tree-Structured Parzen
       Estimator for Computationally Expensive Optimization Problems. GECCO 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.climb import Ground, Pool, pool_of
from maquette.search.expert import Expert, expert
from maquette.search.sobol import opening
from maquette.search.standing import ranks
from maquette.surrogate.parzen import Dimensions, Parzen, parzen
from maquette.surrogate.threads import single_threaded
from maquette.trial import Suggestion

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Kernels narrower than this would only repeat what was tried.
LEAST_GOOD, LEAST_BAD = 0.02, 0.05
ROUNDS = 4  # of candidates, before one that was tried already is accepted


@final
@dataclass(frozen=True, slots=True)
class TPE:
    """Searches with Parzen densities of good and bad trials.

    Parameters
    ----------
    initial
        Trials of the initial design, at least 2.
    gamma
        Share of trials that count as good, in (0, 1).
    candidates
        Draws from the good density that the ratio is evaluated at.

    Raises
    ------
    StudyError
        If a parameter is out of range; every problem is named.
    """

    initial: int = 6
    gamma: float = 0.15
    candidates: int = 32

    def __post_init__(self) -> None:
        problems = []
        if self.initial < 2:
            problems.append(f"initial must be at least 2, not {self.initial!r}")
        if not 0.0 < self.gamma < 1.0:
            problems.append(f"gamma must lie between 0 and 1, not {self.gamma!r}")
        if self.candidates < 1:
            problems.append(f"candidates must be at least 1, not {self.candidates!r}")
        if problems:
            raise StudyError(problems)

    @single_threaded
    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs, each chosen as if those before it were already pending."""
        ground, finished = Ground(history.space, history.domain), history.finished
        known = len(history.trials)
        if known < self.initial or not finished.ok.any():
            return opening(history, n)
        dimensions = Dimensions(ground.domain.cardinality, ground.domain.is_categorical)
        good, weight, bad = split(finished, self.gamma)
        l_good = parzen(dimensions, finished.X[good], finished.active[good], weight, LEAST_GOOD)
        others = Pool(finished.X[bad], finished.active[bad])
        if pending := history.pending:
            others = others.joined(pool_of(pending))
        tried = others.joined(Pool(l_good.X, l_good.active))
        out, priors = [], expert(history)
        for _ in range(n):
            g = parzen(dimensions, others.X, others.active, np.ones(len(others.X)), LEAST_BAD)
            row, mask, ratio = self._best(ground, (l_good, g, priors), tried, rng)
            why = {"log_ratio": ratio, "good": float(len(good))}
            if priors is not None:
                why |= priors.why(row, mask)
            out.append(Suggestion(ground.config(row), "tpe", why))
            one = Pool(row[None], mask[None])
            others, tried = others.joined(one), tried.joined(one)
        return out

    def _best(
        self,
        ground: Ground,
        of: tuple[Parzen, Parzen, Expert | None],
        tried: Pool,
        rng: np.random.Generator,
    ) -> tuple[Array, Mask, float]:
        """Return the row of the largest l / g among draws from l, its mask, and log l / g.

        With priors a quarter as many are drawn from them, and they weigh the ratio.
        """
        l_good, g, priors = of
        best: tuple[Array, Mask, float] | None = None
        for _ in range(ROUNDS):
            rows = l_good.sample(self.candidates, rng)
            if priors is not None:
                rows = np.concatenate([rows, priors.draw(rng, -(-self.candidates // 4))])
            drawn = ground.pool(rows)
            if not len(drawn.X):
                drawn = ground.anywhere(rng, self.candidates)
            ratio = l_good.log_density(drawn.X, drawn.active) - g.log_density(drawn.X, drawn.active)
            if priors is not None:
                ratio = ratio + priors.weight * priors(drawn.X, drawn.active)
            for i in np.argsort(-ratio, kind="stable"):
                found = drawn.X[i], drawn.active[i], float(ratio[i])
                if not tried.holds(drawn.X[i], drawn.active[i]):
                    return found
                best = best or found
        if best is None:
            raise StudyError("no config of the space could be drawn")
        return best


def split(finished: Finished, gamma: float) -> tuple[NDArray[np.intp], Array, NDArray[np.intp]]:
    """Split finished trials into good ones, with their weights, and bad ones.

    Returns
    -------
    tuple
        Rows of the good trials (k,), best first; weights (k,) with mean 1; rows of the others.
    """
    rank = ranks(finished)
    order = np.argsort(rank, kind="stable")
    usable = int(np.isfinite(rank).sum())
    k = max(1, min(usable, math.ceil(gamma * len(rank))))
    good = order[:k]
    weight = np.arange(k, 0, -1, dtype=np.float64)
    return good, weight / weight.mean(), order[k:]
