"""A store that may be away for a while: a disk that is full, a server that restarts.

A store that raises StoreUnavailableError has written nothing, so every call may be repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, final

from maquette.errors import StoreUnavailableError
from maquette.events import Body, Ended, Event, Proposed, Reported, Requeued, Resume
from maquette.store.protocol import LostJob, ProposerLease, Store, StudyRow

Result = TypeVar("Result")

# A full disk or a database that restarts is mended within minutes, or not at all.
PATIENCE_SECONDS = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

log = logging.getLogger("maquette")


def _never() -> bool:
    return False


def patiently(
    act: Callable[[], Result],
    patience: float = PATIENCE_SECONDS,
    hurry: Callable[[], bool] = _never,
) -> Result:
    """Call `act` until the store answers; one that stays away raises after `patience` seconds.

    `hurry()` tells whether to give up at once.
    """
    deadline = time.monotonic() + patience
    pause = _FIRST_PAUSE
    while True:
        try:
            return act()
        except StoreUnavailableError as error:
            if time.monotonic() + pause > deadline or hurry():
                raise
            if pause == _FIRST_PAUSE:
                # Nobody shall wait without knowing for what.
                log.warning("%s; trying again for %g s", error.problems[0], patience)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


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

    def _try(self, act: Callable[[], Result]) -> Result:
        return patiently(act, self._patience, self._hurry)

    @property
    def url(self) -> str:
        """Where the store is, without secrets."""
        return self._store.url

    def create(self, name: str, spec: Mapping[str, Any]) -> StudyRow:
        """Return the study of that name, created with `spec` if there was none."""
        return self._try(lambda: self._store.create(name, spec))

    def find(self, name: str) -> StudyRow:
        """Return the study of that name."""
        return self._try(lambda: self._store.find(name))

    def studies(self) -> list[StudyRow]:
        """Return all studies, oldest first."""
        return self._try(self._store.studies)

    def read(self, study: int, after: int = 0, limit: int | None = None) -> Sequence[Event]:
        """Return the events numbered above `after`, in order; at most the first `limit`."""
        return self._try(lambda: self._store.read(study, after, limit))

    def append(self, study: int, bodies: Sequence[Body]) -> list[Event]:
        """Write events that need no lease."""
        return self._try(lambda: self._store.append(study, bodies))

    def acquire_proposer(self, study: int, owner: str, ttl: float) -> ProposerLease | None:
        """Take the right to propose; None while another owner holds it."""
        return self._try(lambda: self._store.acquire_proposer(study, owner, ttl))

    def propose(self, study: int, lease: ProposerLease, drafts: Sequence[Proposed]) -> list[Event]:
        """Number and write proposals and give the lease back."""
        return self._try(lambda: self._store.propose(study, lease, drafts))

    def release_proposer(self, study: int, lease: ProposerLease) -> None:
        """Give the lease back with nothing written."""
        self._try(lambda: self._store.release_proposer(study, lease))

    def start(
        self,
        study: int,
        job: int,
        owner: str,
        ttl: float | None,
        resume: Resume | None = None,
        seen: int | None = None,
    ) -> Event | None:
        """Take a queued job and write `Started`; None if another owner has taken it."""
        return self._try(lambda: self._store.start(study, job, owner, ttl, resume, seen))

    def start_all(
        self, study: int, jobs: Sequence[int], owner: str, ttl: float | None
    ) -> list[Event]:
        """As the store's."""
        return self._try(lambda: self._store.start_all(study, jobs, owner, ttl))

    def adopt(self, study: int, lost: LostJob, owner: str, ttl: float | None) -> Event | None:
        """Take over a lost job that goes on by itself; None if another owner was quicker."""
        return self._try(lambda: self._store.adopt(study, lost, owner, ttl))

    def record(
        self, study: int, tokens: Mapping[int, int], bodies: Sequence[Reported | Ended | Requeued]
    ) -> list[Event]:
        """Write what started jobs did, all of it or nothing."""
        return self._try(lambda: self._store.record(study, tokens, bodies))

    def renew(self, study: int, tokens: Mapping[int, int], ttl: float) -> tuple[int, ...]:
        """Prolong the leases of jobs; not tried again, for the next beat is soon enough."""
        return self._store.renew(study, tokens, ttl)

    def lost(self, study: int) -> list[LostJob]:
        """Return started jobs whose lease has expired or whose owner is provably dead."""
        return self._try(lambda: self._store.lost(study))

    def close(self) -> None:
        """Leave the store open: it belongs to who opened it."""
