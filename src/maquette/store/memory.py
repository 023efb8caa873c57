"""A store in memory: the same rules, gone with the process. Safe for threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, final

from maquette.errors import StoreError
from maquette.events import Body, Ended, Event, Proposed, Reported, Requeued, Resume, Started
from maquette.store import codec
from maquette.store.ledger import Head, Lease, Ledger, lost_jobs
from maquette.store.names import checked_name, no_such_study
from maquette.store.owner import provably_dead
from maquette.store.protocol import LostJob, ProposerLease, StudyRow

T = TypeVar("T")


@final
@dataclass(slots=True)
class _Study:
    row: StudyRow
    events: list[Event] = field(default_factory=list)
    leases: dict[int, Lease] = field(default_factory=dict)
    trials: int = 0
    jobs: int = 0


@final
class MemoryStore:
    """Keeps studies in this process.

    Parameters
    ----------
    clock
        Seconds since the epoch; a virtual clock where time is simulated.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._lock = threading.RLock()
        self._studies: list[_Study] = []
        self._names: dict[str, _Study] = {}

    @property
    def url(self) -> str:
        """ "memory"."""
        return "memory"

    def create(self, name: str, spec: Mapping[str, Any]) -> StudyRow:
        """Return the study of that name, created with `spec` if there was none."""
        with self._lock:
            if name not in self._names:
                kept = codec.loads(codec.dumps(spec))
                row = StudyRow(len(self._studies) + 1, checked_name(name), kept, self.clock())
                self._names[name] = _Study(row)
                self._studies.append(self._names[name])
            return self._names[name].row

    def take_over(self, name: str, spec: Mapping[str, Any], events: Sequence[Event]) -> StudyRow:
        """Copy a study from another store; its jobs under way wait to be started again."""
        with self._lock:
            row = self.create(name, spec)
            kept = self._names[name]
            kept.events, kept.leases = list(events), {}
            running = {}
            for event in events:
                body = event.body
                if isinstance(body, Proposed):
                    kept.leases[body.job] = Lease(body.trial)
                    kept.trials = max(kept.trials, body.trial + 1)
                    kept.jobs = body.job + 1
                elif isinstance(body, Started):
                    kept.leases[body.job] = Lease(body.trial, None, body.token)
                    running[body.job] = body.trial
                elif isinstance(body, Ended | Requeued):
                    running.pop(body.job, None)
                    if isinstance(body, Ended):
                        kept.leases.pop(body.job, None)
            for job, trial in running.items():
                body = Requeued(trial, job, "the study was copied")
                kept.events.append(Event(len(kept.events) + 1, self.clock(), body))
            return row

    def find(self, name: str) -> StudyRow:
        """Return the study of that name; StoreError names the nearest if there is none."""
        with self._lock:
            if name not in self._names:
                raise no_such_study(name, self._names, self.url)
            return self._names[name].row

    def studies(self) -> list[StudyRow]:
        """Return all studies, oldest first."""
        with self._lock:
            return [study.row for study in self._studies]

    def _study(self, study: int) -> _Study:
        if not 0 < study <= len(self._studies):
            raise StoreError(f"there is no study with id {study}")
        return self._studies[study - 1]

    def read(self, study: int, after: int = 0, limit: int | None = None) -> Sequence[Event]:
        """Return the events numbered above `after`, in order; at most the first `limit`."""
        first = max(after, 0)
        last = None if limit is None else first + limit
        with self._lock:
            return self._study(study).events[first:last]

    def _turn(self, study: int, act: Callable[[Ledger], T]) -> tuple[T, list[Event]]:
        """Run one transaction: all that the ledger holds is kept, or nothing."""
        with self._lock:
            kept = self._study(study)
            head = Head(len(kept.events), kept.trials, kept.jobs, self.clock())
            ledger = Ledger(head, kept.leases, provably_dead)
            result = act(ledger)
            events = [
                Event(number, head.now, codec.copied(body))
                for number, body in enumerate(ledger.bodies, head.events + 1)
            ]
            kept.events += events
            kept.trials, kept.jobs = ledger.trials, ledger.jobs
            for job, lease in ledger.changes.items():
                if lease is None:
                    kept.leases.pop(job, None)
                else:
                    kept.leases[job] = lease
            return result, events

    def append(self, study: int, bodies: Sequence[Body]) -> list[Event]:
        """Write events that need no lease in one transaction."""
        return self._turn(study, lambda ledger: ledger.append(bodies))[1]

    def acquire_proposer(self, study: int, owner: str, ttl: float) -> ProposerLease | None:
        """Take the right to propose for `ttl` seconds; None while another owner holds it."""
        return self._turn(study, lambda ledger: ledger.acquire_proposer(owner, ttl))[0]

    def propose(self, study: int, lease: ProposerLease, drafts: Sequence[Proposed]) -> list[Event]:
        """Number and write proposals and give the lease back."""
        return self._turn(study, lambda ledger: ledger.propose(lease, drafts))[1]

    def release_proposer(self, study: int, lease: ProposerLease) -> None:
        """Give the lease back with nothing written; a lease already lost is no error."""
        self._turn(study, lambda ledger: ledger.release_proposer(lease))

    def start(
        self,
        study: int,
        job: int,
        owner: str,
        ttl: float | None,
        resume: Resume | None = None,
        seen: int | None = None,
    ) -> Event | None:
        """Take a queued job for `ttl` seconds (None: until it ends) and write `Started`."""
        events = self._turn(study, lambda ledger: ledger.start(job, owner, ttl, resume, seen))[1]
        return events[0] if events else None

    def start_all(
        self, study: int, jobs: Sequence[int], owner: str, ttl: float | None
    ) -> list[Event]:
        """Take those of some jobs that are queued, in one transaction."""
        return self._turn(study, lambda ledger: ledger.start_all(jobs, owner, ttl))[1]

    def adopt(self, study: int, lost: LostJob, owner: str, ttl: float | None) -> Event | None:
        """Take over a lost job that goes on by itself and write `Started`."""
        events = self._turn(study, lambda ledger: ledger.adopt(lost, owner, ttl))[1]
        return events[0] if events else None

    def record(
        self, study: int, tokens: Mapping[int, int], bodies: Sequence[Reported | Ended | Requeued]
    ) -> list[Event]:
        """Write what started jobs did; `tokens` maps job to fencing token."""
        return self._turn(study, lambda ledger: ledger.record(tokens, bodies))[1]

    def renew(self, study: int, tokens: Mapping[int, int], ttl: float) -> tuple[int, ...]:
        """Prolong the leases of jobs; return the jobs whose lease was lost."""
        return self._turn(study, lambda ledger: ledger.renew(tokens, ttl))[0]

    def lost(self, study: int) -> list[LostJob]:
        """Return started jobs whose lease has expired or whose owner is provably dead."""
        with self._lock:
            return lost_jobs(self._study(study).leases, self.clock(), provably_dead)

    def close(self) -> None:
        """Do nothing: what is in memory stays until it is forgotten."""
