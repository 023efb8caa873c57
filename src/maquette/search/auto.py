"""The searcher that is chosen when none is named.

By what the history knows, anew at every proposal, the first line that holds:

================================================ =============== =============================
when                                             searcher        because
================================================ =============== =============================
more than 1,000 trials have ended, one metric,   CMA-ES          it goes on to refine where
every parameter a number that always exists                      densities have settled
more than 1,000 trials have ended                Parzen          a Gaussian process of all of
                                                 densities       them would take too long
more than 64 workers                             Parzen          a Gaussian process chooses
                                                 densities       configs one after the other
more than 300 dimensions                         Parzen          one lengthscale a dimension is
                                                 densities       more than trials can tell
otherwise                                        Gaussian        it needs the fewest trials
                                                 process
================================================ =============== =============================

Priors of parameters and pasts of earlier studies are used by whatever is chosen, as far as it can;
`why` then holds their weights (`maquette.search.expert`, `maquette.surrogate.carried`).

The rules are limits of time but for the first; where a Gaussian process is affordable it found
better configs than all others on made-up functions of every kind, of 200 dimensions too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.cmaes import CMAES
from maquette.search.gp import GP
from maquette.search.protocol import Searcher
from maquette.search.tpe import TPE
from maquette.trial import Suggestion

MOST_TRIALS = 1_000
MOST_WORKERS = 64
MOST_DIMENSIONS = 300


@final
@dataclass(frozen=True, slots=True)
class Auto:
    """Chooses a searcher; each suggestion's `why` holds the rule and the number it went by.

    For example ``{"ended > 1000": 1204.0}``, or ``{"dimensions <= 300": 7.0}`` where no limit
    is reached.
    """

    _gp: GP = field(default_factory=GP, init=False, repr=False, compare=False)
    _tpe: TPE = field(default_factory=TPE, init=False, repr=False, compare=False)
    _cmaes: CMAES = field(default_factory=CMAES, init=False, repr=False, compare=False)

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` suggestions of the searcher chosen; their origin starts with ``auto:``."""
        chosen, rule, number = self._choice(history)
        return [
            Suggestion(s.config, f"auto:{s.origin}", {**s.why, rule: float(number)})
            for s in chosen.suggest(history, at, n, rng)
        ]

    def _choice(self, history: History) -> tuple[Searcher, str, int]:
        """Return the searcher, the rule that chose it, and the number that the rule went by."""
        ended, d = len(history.finished), history.space.dimensions
        workers = history.budget.workers
        if ended > MOST_TRIALS:
            chosen: Searcher = self._cmaes if _plain(history) else self._tpe
            return chosen, f"ended > {MOST_TRIALS}", ended
        if workers > MOST_WORKERS:
            return self._tpe, f"workers > {MOST_WORKERS}", workers
        if d > MOST_DIMENSIONS:
            return self._tpe, f"dimensions > {MOST_DIMENSIONS}", d
        return self._gp, f"dimensions <= {MOST_DIMENSIONS}", d


def _plain(history: History) -> bool:
    """Whether one metric is optimised over numbers that always exist, in one cell."""
    space = history.domain
    conditional = any(p.when for p in space.values())
    one = len(history.objective.metrics) == 1 and not history.axes
    return one and not conditional and not bool(space.is_categorical.any())
