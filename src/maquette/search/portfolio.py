"""A portfolio of configs first, then any searcher.

References
----------
`maquette.search.zeroshot`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from maquette.errors import SpaceError, StudyError
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.auto import Auto
from maquette.search.protocol import Searcher
from maquette.search.zeroshot import zero_shot
from maquette.space import Config, Space
from maquette.trial import Suggestion


@final
@dataclass(frozen=True, slots=True)
class Portfolio:
    """Tries the configs of a portfolio, then goes on with another searcher.

    Parameters
    ----------
    configs
        The portfolio, best first; parameters left out take their defaults, and configs that do not
        fit the space are passed over. Left out: the portfolio of the study's `warm_start`.
    size
        The most configs that are tried.
    then
        The searcher that goes on.

    Raises
    ------
    StudyError
        If `size` is less than 1.
    """

    configs: Sequence[Mapping[str, Any]] | None = None
    size: int = 8
    then: Searcher = field(default_factory=Auto)

    def __post_init__(self) -> None:
        if self.size < 1:
            raise StudyError(f"size must be at least 1, not {self.size!r}")
        lone = isinstance(self.configs, Mapping)
        if lone or not all(isinstance(config, Mapping) for config in self.configs or ()):
            raise StudyError(f"configs must be a list of mappings, not {self.configs!r}")

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return the next configs of the portfolio, then those of the other searcher."""
        first = len(history.trials)
        members = self._members(history)[first : first + n]
        own = [Suggestion(c, "portfolio", {"place": float(place)}) for place, c in members]
        if len(own) == n:
            return own
        return [*own, *self.then.suggest(history, at, n - len(own), rng)]

    def _members(self, history: History) -> list[tuple[int, Config]]:
        space, problem = history.space, history.problem
        if self.configs is None:
            found = list(zero_shot(space, problem.scale, problem.past, self.size))
        else:
            found = [c for c in (_fitting(space, config) for config in self.configs) if c]
        return list(enumerate(found[: self.size], start=1))


def _fitting(space: Space, config: Mapping[str, Any]) -> Config | None:
    try:
        return space.fill(config)
    except SpaceError:
        return None
