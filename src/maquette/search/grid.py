"""Grid search: every combination of a few values of each parameter, once.

Floats and integers take evenly spaced values of their (log) range, ends included; choices take all
of theirs. A parameter multiplies the grid only where it exists, and what breaks the constraints is
left out, so that the size is known before the first trial.

The order is that in which a scrambled Sobol sequence [1] comes upon the combinations, the one
nearest to the defaults first: wherever the search is stopped, what was tried is spread evenly. What
a study has tried already, in the same cell of its scale, is passed over, whoever proposed it; a
resumed or widened study goes on with the rest, and when nothing is left the search is over.

References
----------
.. [1] A. B. Owen. Scrambling Sobol' and Niederreiter-Xing Points. J. Complexity 14(4), 1998.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from maquette.errors import StudyError, nearest
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.cell import cell_row
from maquette.search.climb import Pool, pool_of
from maquette.search.lattice import Lattice, lattice
from maquette.space import Space
from maquette.trial import Suggestion

Levels = int | Mapping[str, Any]
LEVELS = 5


@final
@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Tries all combinations, and then ends.

    Parameters
    ----------
    levels
        How many values each number takes, at least 1; integers take no more than they have. Or a
        mapping from names to such counts, or to the values themselves; 5 for names it leaves out.
    most
        The largest grid that is begun.

    Raises
    ------
    StudyError
        If a setting is out of range, or, once the space is known, if a name or value does not
        belong to it, the grid has more than `most` configs, or the constraints leave none.
    """

    levels: Levels = LEVELS
    most: int = 10_000

    def __post_init__(self) -> None:
        named = self.levels.items() if isinstance(self.levels, Mapping) else [("", self.levels)]
        problems = []
        for name, level in named:
            where = f"levels of {name!r}" if name else "levels"
            number = isinstance(level, int) and not isinstance(level, bool)
            if not number and (isinstance(level, str) or not isinstance(level, Sequence)):
                problems.append(f"{where} must be a number or a list of values, not {level!r}")
            elif (level if isinstance(level, int) else len(level)) < 1:
                problems.append(f"{where} must be at least 1, not {level!r}")
        if self.most < 1:
            problems.append(f"most must be at least 1, not {self.most!r}")
        if problems:
            raise StudyError(problems)

    def size(self, space: Space | Mapping[str, Any]) -> int:
        """Return how many configs the grid of a space has.

        Raises
        ------
        StudyError
            If it has none, or more than `most`.
        """
        return len(self._lattice(space if isinstance(space, Space) else Space(space), 0).rows)

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return the next `n` configs, fewer when fewer are left; `rng` is not used."""
        space, seed = history.space, history.problem.seed
        walk = history.memo.kept((_Walk, self), lambda: _Walk(history, self._lattice(space, seed)))
        free = walk.free(history, at)[:n]
        size = float(len(walk.lattice.rows))
        configs = space.from_unit(walk.lattice.rows[free]) if len(free) else []
        return [
            Suggestion(config, "grid", {"place": float(place + 1), "size": size})
            for config, place in zip(configs, free.tolist(), strict=True)
        ]

    def _lattice(self, space: Space, seed: int) -> Lattice:
        given = (
            self.levels if isinstance(self.levels, Mapping) else dict.fromkeys(space, self.levels)
        )
        unknown = [name for name in given if name not in space]
        if unknown:
            raise StudyError(
                [
                    f"the grid names {name!r}, which is no parameter." + nearest(name, space)
                    for name in unknown
                ]
            )
        return lattice(space, {name: given.get(name, LEVELS) for name in space}, self.most, seed)


@final
class _Walk:
    """Which points of a lattice a study has tried, by cell of its scale."""

    def __init__(self, history: History, points: Lattice) -> None:
        self.lattice = points
        X, active = points.rows, points.active
        if history.domain is not history.space:
            X, active = history.domain.carry(history.space, X)
        self._place = {key: i for i, key in enumerate(Pool(X, active).keys())}
        self._tried: dict[tuple[float, ...], np.ndarray] = {}
        self._known: dict[tuple[float, ...], int] = {}

    def free(self, history: History, at: Fidelity) -> np.ndarray:
        """Return the places of the points that were not tried in a cell, in order."""
        cell = tuple(cell_row(history, at)[0].tolist())
        trials = history.in_cell(dict(zip(history.axes, cell, strict=True)))
        tried = self._tried.setdefault(cell, np.zeros(len(self.lattice.rows), dtype=bool))
        new = trials[self._known.get(cell, 0) :]
        if new:
            keys = pool_of(new).keys()
            places = [self._place[key] for key in keys if key in self._place]
            tried[places] = True
        self._known[cell] = len(trials)
        return np.flatnonzero(~tried)
