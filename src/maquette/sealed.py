"""Trials that nobody has looked at: their events as they came, folded when somebody looks.

Most trials of a large study are looked at through columns alone. What a record holds is a function
of its own events, so it can be made from them whenever somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, SupportsIndex, TypeVar, cast, final, overload

import numpy as np

from maquette import fold
from maquette.events import Ended, Form, Proposed, Started
from maquette.objective import Objective
from maquette.records import Coded, Encode, TrialRecord
from maquette.trial import State

Record = TypeVar("Record")


@final
@dataclass(slots=True)
class Sealed:
    """One trial of one job that was proposed, perhaps started, and perhaps ended.

    `proposed`, `started` and `ended` are bodies, or texts that `form` decodes. `ended` is the end
    of the trial, not a pause; it was event `number`.
    """

    trial: int
    job: int
    form: Form | None
    proposed: Any
    started: Any = None
    began: float | None = None
    ended: Any = None
    number: int = 0
    finished: float = 0.0

    @property
    def proposal(self) -> Proposed:
        """How it was proposed."""
        return cast("Proposed", self._body("proposed", self.proposed))

    def mentions(self, word: str) -> bool:
        """Whether the proposal has a word in its `why`, or perhaps elsewhere."""
        return word in (self.proposed if isinstance(self.proposed, str) else self.proposed.why)

    def open(self, objective: Objective) -> TrialRecord:
        """Fold the events into the trial's record."""
        proposal = self.proposal
        trial = fold.new_trial(proposal)
        job = fold.new_job(proposal, trial)
        if self.started is not None and self.began is not None:
            fold.start(trial, job, cast("Started", self._body("started", self.started)), self.began)
        if self.ended is not None:
            fold.end(trial, job, cast("Ended", self._body("ended", self.ended)), objective)
            trial.ended, trial.finished = self.number, self.finished
            if trial.state is State.DONE:
                trial.loss = fold.final_losses(trial, objective)[0]
        return trial

    def _body(self, kind: str, content: Any) -> Any:
        if self.form is None or not isinstance(content, str):
            return content
        return self.form.body(kind, self.trial, self.job, content)


def encoded(kept: Sequence[TrialRecord | Sealed], encode: Encode) -> Coded:
    """Return the encoded configs of trials, shape (n, dimensions), without opening any."""
    coded = [None if isinstance(item, Sealed) else item.coded for item in kept]
    known = [code for code in coded if code is not None]
    if len(known) == len(kept):
        return np.array([row for row, _ in known]), np.array([mask for _, mask in known])
    return encode([i.proposal.config or {} if isinstance(i, Sealed) else i.config for i in kept])


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
            return self.several(range(*index.indices(len(self._items))))
        item = self._items[index]
        if isinstance(item, Sealed):
            item = self._items[index] = self._opened(item)
        return item

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def several(self, indices: Iterable[int]) -> list[Record]:
        """Return the records at these places."""
        return [self[i] for i in indices]

    def append(self, item: Record | Sealed) -> None:
        """Add one at the end."""
        self._items.append(item)

    def as_kept(self, index: int) -> Record | Sealed:
        """Return an item as it is, without opening it."""
        return self._items[index]

    def sealed(self, index: int) -> Sealed | None:
        """Return an item that nobody has looked at; None: it is open."""
        item = self._items[index]
        return item if isinstance(item, Sealed) else None
