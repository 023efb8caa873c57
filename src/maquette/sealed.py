"""Trials that had ended when their events were read: kept as text, opened when looked at.

Most trials of a large study are looked at through columns alone. What a record holds is a function
of its own events, so it can be made from them whenever somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, SupportsIndex, TypeVar, cast, final, overload

import numpy as np

from maquette import fold
from maquette.errors import StudyError
from maquette.events import Decode, Ended, Event, Proposed, Started
from maquette.fidelity import Fidelity
from maquette.objective import Objective
from maquette.orders import ENQUEUED
from maquette.records import JobRecord, TrialRecord
from maquette.trial import Config

Record = TypeVar("Record")
_NOWHERE = Fidelity()
_UNSEEN = np.empty(0)


@final
@dataclass(slots=True)
class Sealed:
    """One trial of one job that was proposed, perhaps started, and ended: its events as text.

    `place` is its row in the columns.
    """

    trial: int
    job: int
    decode: Decode
    proposed: str
    started: str | None = None
    began: float | None = None
    ended: str = ""
    number: int = 0
    finished: float = 0.0
    place: int = -1

    @property
    def config(self) -> Config:
        """The config as it was proposed."""
        config = self._read("proposed", self.proposed, Proposed).config
        return config if config is not None else {}

    def open(
        self, encoded: tuple[np.ndarray, np.ndarray], loss: float, objective: Objective
    ) -> TrialRecord:
        """Fold the events into the trial's record; `encoded` is its row and activity mask."""
        proposal = self._read("proposed", self.proposed, Proposed)
        trial = fold.new_trial(proposal, proposal.config or {}, encoded)
        job = fold.new_job(proposal, trial)
        if self.started is not None and self.began is not None:
            fold.start(trial, job, self._read("started", self.started, Started), self.began)
        fold.end(trial, job, self._read("ended", self.ended, Ended), objective)
        trial.ended, trial.finished, trial.loss = self.number, self.finished, loss
        return trial

    def end(self, body: Ended, objective: Objective) -> tuple[TrialRecord, fold.Spent]:
        """Return a passing record with all that columns take but the config, and what was spent."""
        trial = TrialRecord(self.trial, {}, _UNSEEN, _UNSEEN, "", {}, {})
        job = JobRecord(self.job, self.trial, _NOWHERE, 0.0, (), True, 0)
        trial.jobs.append(job)
        return trial, fold.end(trial, job, body, objective)

    def _read(self, kind: str, text: str, body: type[Record]) -> Record:
        return cast("Record", self.decode(kind, self.trial, self.job, text))


@final
class Lazy(Sequence[Record], Generic[Record]):
    """A list whose items are records, or sealed until somebody looks.

    Parameters
    ----------
    opened
        Makes the record of a sealed trial.
    """

    def __init__(self, opened: Callable[[Sealed], Record]) -> None:
        self._items: list[Record | Sealed] = []
        self._opened = opened

    @overload
    def __getitem__(self, index: SupportsIndex) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self._items)))]
        item = self._items[index]
        if isinstance(item, Sealed):
            item = self._items[index] = self._opened(item)
        return item

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def append(self, item: Record | Sealed) -> None:
        """Add one at the end."""
        self._items.append(item)

    def kept(self, index: int) -> Sealed:
        """Return an item that nobody has looked at; StudyError if somebody has."""
        item = self.sealed(index)
        if item is None:
            raise StudyError(f"trial {index} has been opened before all of its events were folded")
        return item

    def sealed(self, index: int) -> Sealed | None:
        """Return an item that nobody has looked at; None: it is open."""
        item = self._items[index]
        return item if isinstance(item, Sealed) else None


def whole(events: Sequence[Event], first: int) -> dict[int, Ended]:
    """Return how the trials ended whose only events are these, by trial, from number `first` on.

    Each was proposed, started at most once, and ended, and is still text. None where the space
    changes on the way.
    """
    steps: dict[int, int] = {}
    ends: dict[int, Ended] = {}
    for event in events:
        text = event.written
        if text is None or text.kind == "space":
            return {}
        trial = text.trial
        if trial is None or trial < first:
            continue
        step = steps.get(trial)
        match text.kind:
            case "proposed" if step is None and ENQUEUED not in text.text:
                steps[trial] = 1
            case "started" if step == 1:
                steps[trial] = 2
            case "ended" if step in (1, 2):
                body = text.body()
                steps[trial] = 3
                if isinstance(body, Ended) and not body.state.pending and body.alive is None:
                    ends[trial] = body
            case _:
                steps[trial] = -1
                ends.pop(trial, None)
    return ends
