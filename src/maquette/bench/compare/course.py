"""The course of one run: a shared start, and what is recommended on the way.

What a tuner recommends is asked after 1, 2, 3, 4, 5, 7, 9, 12, ... ended trials, 1.25 times as many
each time, and at the end: the same for every tuner.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.fidelity import Fidelity
from maquette.history import History
from maquette.search.protocol import Searcher
from maquette.store.protocol import Store
from maquette.study import Budget
from maquette.trial import Config, Suggestion

Recommend = Callable[[History], Config | None]

# The name of the study of a run.
STUDY = "cell"


@final
@dataclass(frozen=True, slots=True)
class Mark:
    """What was recommended after `ended` trials, at a virtual time and a total cost."""

    ended: int
    seconds: float
    cost: float
    config: Config | None


@final
class Course:
    """A searcher around a tuner's: it gives the shared start, and notes recommendations.

    Parameters
    ----------
    searcher
        The tuner's.
    start
        Configs that come first.
    recommend
        Asks the tuner for its recommendation; None, or an answer of None: the best observed.

    Attributes
    ----------
    marks
        Recommendations so far.
    seconds
        Time that the tuner took for suggestions and recommendations.
    """

    def __init__(
        self, searcher: Searcher, start: Sequence[Config] = (), recommend: Recommend | None = None
    ) -> None:
        self._searcher, self._start, self._recommend = searcher, tuple(start), recommend
        self._next = 1
        self.marks: list[Mark] = []
        self.seconds = 0.0

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return the rest of the shared start, then the tuner's suggestions."""
        if len(history.finished) >= self._next:
            self.mark(history)
        first = len(history.trials)
        given = [Suggestion(config, "start") for config in self._start[first : first + n]]
        if len(given) == n:
            return given
        began = time.perf_counter()
        own = self._searcher.suggest(history, at, n - len(given), rng)
        self.seconds += time.perf_counter() - began
        return [*given, *own]

    def mark(self, history: History) -> None:
        """Note what is recommended now."""
        began = time.perf_counter()
        config = self._recommend(history) if self._recommend is not None else None
        self.seconds += time.perf_counter() - began
        ended = history.finished
        last = history.trials[int(ended.trial[-1])].finished if len(ended) else None
        found = config if config is not None else best_observed(history)
        self.marks.append(Mark(len(ended), last or 0.0, history.cost, found))
        while self._next <= len(ended):
            self._next = max(self._next + 1, math.ceil(self._next * 1.25))


def best_observed(history: History) -> Config | None:
    """Return the config of the lowest loss among the trials that went furthest; None: no loss."""
    ended = history.finished
    done = np.flatnonzero(ended.ok)
    if not len(done):
        return None
    bound = done[~(ended.violation[done] > 0)]
    kept = bound if len(bound) else done
    numbers = ended.trial[kept]
    if history.problem.duration.key is not None:
        until = np.array([_until(history.trials[n].job.fidelity) for n in numbers.tolist()])
        kept, numbers = kept[until == until.max()], numbers[until == until.max()]
    return history.trials[int(numbers[np.lexsort((numbers, ended.loss[kept]))[0]])].config


def within(store: Store, history: History, limit: Budget) -> History:
    """Return the history up to the moment at which a budget of seconds or cost was spent.

    What was running then ran on to its end, and does not count. A budget of trials alone is never
    overrun.
    """
    if limit.seconds is None and limit.cost is None:
        return history
    events = store.read(store.find(STUDY).id, 0)
    if limit.seconds is not None:
        events = [e for e in events if e.time <= limit.seconds]
    if limit.cost is None:
        return History(history.problem, events)
    cut = History(history.problem)
    for count, event in enumerate(events):
        cut.extend([event])
        if cut.cost > limit.cost:
            return History(history.problem, events[:count])
    return cut


def _until(fidelity: Fidelity) -> float:
    return max(fidelity.until.values(), default=math.inf)
