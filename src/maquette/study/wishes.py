"""Configs that users want tried next come before those of the searcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from maquette.errors import SpaceError
from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.orders import ENQUEUED
from maquette.search.protocol import Searcher
from maquette.trial import Job, Suggestion


@final
class Wishes:
    """A searcher that suggests what users asked for first, oldest first, for one proposal turn.

    How far and in which cell a config runs is the scheduler's matter, as for any other; a cell
    that was asked for takes the place of the scheduler's.
    """

    def __init__(self, history: History, searcher: Searcher) -> None:
        self._searcher = searcher
        self._queue = history.orders.queue
        self._waiting: list[Suggestion] = []
        for number, wish in self._queue.items():
            try:
                config = history.space.fill(wish.config)
            except SpaceError:
                continue  # the space has been narrowed since; it waits for one that holds it
            why: dict[str, float] = {ENQUEUED: number}
            if wish.of is not None:
                why["repeats"] = wish.of
            self._waiting.append(Suggestion(config, wish.origin, why))

    def __len__(self) -> int:
        return len(self._waiting)

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return up to `n` suggestions: wishes, then the searcher's."""
        taken, self._waiting = self._waiting[:n], self._waiting[n:]
        more = n - len(taken)
        return [*taken, *(self._searcher.suggest(history, at, more, rng) if more > 0 else ())]

    def placed(self, job: Job) -> Job:
        """Return a new trial's job, moved to the cell that was asked for, if one was."""
        number = job.suggestion.why.get(ENQUEUED)
        wish = None if number is None else self._queue.get(int(number))
        if wish is None or not wish.scale:
            return job
        return replace(job, fidelity=replace(job.fidelity, scale=dict(wish.scale)))
