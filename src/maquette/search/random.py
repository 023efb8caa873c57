"""Random search: independent draws from the space's priors.

References
----------
.. [1] J. Bergstra and Y. Bengio. Random Search for Hyper-Parameter Optimization. JMLR 13, 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.trial import Suggestion


@final
@dataclass(frozen=True, slots=True)
class Random:
    """Draws every config from the priors; uniform in the (log) scale where there is none."""

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` draws."""
        return [Suggestion(config, "random") for config in history.space.sample(rng, n)]
