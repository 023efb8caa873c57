"""What every searcher is: a function of the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.trial import Suggestion


@runtime_checkable
class Searcher(Protocol):
    """Chooses which configs to try next.

    Contract: *cold equals warm*. A fresh instance that is given the same events, and a generator
    in the same state, suggests the same configs, whatever either instance has cached.
    """

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs to try at fidelity `at`, each with where it came from and why."""
