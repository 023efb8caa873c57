"""A store that may be away for a while: every call is tried again, and nothing is written twice.

A connection that is cut while a transaction commits leaves open whether it was written. Before a
write of a job's own events is repeated, the events since are read: whatever stands there of this
job was written by the first attempt, since nobody else holds the job's token.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, final

from maquette.errors import StoreUnavailableError
from maquette.events import Body, Ended, Event, Proposed, Reported, Requeued, Started
from maquette.store.protocol import LostJob, ProposerLease, Store, StudyRow

Result = TypeVar("Result")
Write = Reported | Ended | Requeued

# A full disk or a database that restarts is mended within minutes, or not at all.
PATIENCE_SECONDS = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

log = logging.getLogger("maquette")


def _never() -> bool:
    return False


def patiently(
    act: Callable[[bool], Result],
    patience: float = PATIENCE_SECONDS,
    hurry: Callable[[], bool] = _never,
) -> Result:
    """Call `act` until the store answers; one that stays away raises after `patience` seconds.

    Parameters
    ----------
    act
        Its argument tells whether it was called before.
    hurry
        Whether to give up at once.
    """
    deadline = time.monotonic() + patience
    pause, again = _FIRST_PAUSE, False
    while True:
        try:
            return act(again)
        except StoreUnavailableError as error:
            if time.monotonic() + pause > deadline or hurry():
                raise
            if not again:
                # Nobody shall wait without knowing for what.
                log.warning("%s; trying again for %g s", error.problems[0], patience)
        time.sleep(pause)
        again, pause = True, min(2 * pause, _LONGEST_PAUSE)


@final
class PatientStore:
    """A store that is asked again until it answers.

    Parameters
    ----------
    store
        Where calls go.
    patience, hurry
        As for `patiently`.
    """

    def __init__(
        self,
        store: Store,
        patience: float = PATIENCE_SECONDS,
        hurry: Callable[[], bool] = _never,
    ) -> None:
        self._store = store
        self._patience = patience
        self._hurry = hurry
        self._last = 0

    @property
    def url(self) -> str:
        """Where the store is, without secrets."""
        return self._store.url

    def create(self, name: str, spec: Mapping[str, Any]) -> StudyRow:
        """Return the study of that name, created with `spec` if there was none."""
        return self._try(lambda again: self._store.create(name, spec))

    def find(self, name: str) -> StudyRow:
        """Return the study of that name."""
        return self._try(lambda again: self._store.find(name))

    def studies(self) -> list[StudyRow]:
        """Return all studies, oldest first."""
        return self._try(lambda again: self._store.studies())

    def read(self, study: int, after: int = 0) -> list[Event]:
        """Return the events numbered above `after`, in order."""
        return self._noted(self._try(lambda again: self._store.read(study, after)))

    def append(self, study: int, bodies: Sequence[Body]) -> list[Event]:
        """Write events that need no lease, once: not tried again where that is uncertain."""
        return self._noted(self._store.append(study, bodies))

    def acquire_proposer(self, study: int, owner: str, ttl: float) -> ProposerLease | None:
        """Take the right to propose; an owner that holds it already gets it anew."""
        return self._try(lambda again: self._store.acquire_proposer(study, owner, ttl))

    def propose(self, study: int, lease: ProposerLease, drafts: Sequence[Proposed]) -> list[Event]:
        """Number and write proposals; LeaseLostError if an attempt before has written them."""
        return self._noted(self._try(lambda again: self._store.propose(study, lease, drafts)))

    def release_proposer(self, study: int, lease: ProposerLease) -> None:
        """Give the lease back with nothing written."""
        self._try(lambda again: self._store.release_proposer(study, lease))

    def start(self, study: int, job: int, owner: str, ttl: float | None) -> Event | None:
        """Take a queued job and write `Started`; None if another owner has taken it."""
        before = self._last

        def act(again: bool) -> Event | None:
            event = self._store.start(study, job, owner, ttl)
            if event is not None or not again:
                return event
            return _started(self._store.read(study, before), job, owner)

        event = self._try(act)
        if event is not None:
            self._noted([event])
        return event

    def adopt(self, study: int, lost: LostJob, owner: str, ttl: float | None) -> Event | None:
        """Take over a lost job that goes on by itself; None if another owner was quicker."""
        before = self._last

        def act(again: bool) -> Event | None:
            event = self._store.adopt(study, lost, owner, ttl)
            if event is not None or not again:
                return event
            return _started(self._store.read(study, before), lost.job, owner)

        event = self._try(act)
        if event is not None:
            self._noted([event])
        return event

    def record(self, study: int, tokens: Mapping[int, int], bodies: Sequence[Write]) -> list[Event]:
        """Write what started jobs did, all of it or nothing, and once."""
        before = self._last

        def act(again: bool) -> list[Event]:
            if again and (written := _written(self._store.read(study, before), bodies)):
                return written
            return self._store.record(study, tokens, bodies)

        return self._noted(self._try(act))

    def renew(self, study: int, tokens: Mapping[int, int], ttl: float) -> tuple[int, ...]:
        """Prolong the leases of jobs; not tried again, for the next beat is soon enough."""
        return self._store.renew(study, tokens, ttl)

    def lost(self, study: int) -> list[LostJob]:
        """Return started jobs whose lease has expired or whose owner is provably dead."""
        return self._try(lambda again: self._store.lost(study))

    def close(self) -> None:
        """Leave the store open: it belongs to who opened it."""

    def _noted(self, events: list[Event]) -> list[Event]:
        if events:
            self._last = max(self._last, events[-1].number)
        return events

    def _try(self, act: Callable[[bool], Result]) -> Result:
        return patiently(act, self._patience, self._hurry)


def _started(events: Sequence[Event], job: int, owner: str) -> Event | None:
    """Return the event by which this owner took a job that it still has."""
    own = [e for e in events if getattr(e.body, "job", None) == job]
    if own and isinstance(own[-1].body, Started) and own[-1].body.owner == owner:
        return own[-1]
    return None


def _written(events: Sequence[Event], bodies: Sequence[Write]) -> list[Event]:
    """Return the events that are these bodies, if an attempt before has written them."""
    found = []
    for body in bodies:
        for event in events:
            if getattr(event.body, "job", None) != body.job:
                continue
            if isinstance(event.body, Started):
                break  # from here on the job is another owner's
            if type(event.body) is type(body) and _step(event.body) == _step(body):
                found.append(event)
                break
    return found


def _step(body: object) -> float | None:
    return body.step if isinstance(body, Reported) else None
