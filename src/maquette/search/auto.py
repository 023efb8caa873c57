"""The searcher that is chosen when none is named.

A Gaussian process up to 100 dimensions; beyond that its kernel learns little from the trials that
most studies can afford, and a scrambled Sobol sequence covers the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.gp import GP
from maquette.search.protocol import Searcher
from maquette.search.sobol import Sobol
from maquette.trial import Suggestion

MOST_DIMENSIONS = 100


@final
@dataclass(frozen=True, slots=True)
class Auto:
    """Chooses a searcher by the space; says which one, and the number it went by, in each `why`."""

    _gp: GP = field(default_factory=GP, init=False, repr=False, compare=False)
    _sobol: Sobol = field(default_factory=Sobol, init=False, repr=False, compare=False)

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` suggestions of the searcher chosen; their origin starts with ``auto:``."""
        d = history.space.dimensions
        chosen: Searcher = self._gp if d <= MOST_DIMENSIONS else self._sobol
        return [
            Suggestion(s.config, f"auto:{s.origin}", {**s.why, "dimensions": float(d)})
            for s in chosen.suggest(history, at, n, rng)
        ]
