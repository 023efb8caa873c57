"""The rules of numbering and leases, free of any database: what one transaction may write.

A store opens a transaction, locks the study, and hands its head and the leases concerned to a
`Ledger`. The ledger either raises, and nothing is written, or holds the bodies to append and the
leases to change. Every store obeys the same rules because there is only one copy of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import final

from maquette.errors import StoreError
from maquette.events import (
    Body,
    Ended,
    Proposed,
    Reported,
    Requeued,
    Resume,
    Started,
    kind_of,
)
from maquette.store.protocol import LeaseLostError, LostJob, ProposerLease

PROPOSER = -1
"""The job number under which the proposer's lease is kept."""


@final
@dataclass(frozen=True, slots=True)
class Head:
    """Where a study stands: how many events, trials and jobs it has, and the store's clock."""

    events: int
    trials: int
    jobs: int
    now: float


@final
@dataclass(frozen=True, slots=True)
class Lease:
    """A job that has not ended: queued while it has no owner. `token` only ever grows."""

    trial: int
    owner: str | None = None
    token: int = 0
    expires: float | None = None


@final
class Ledger:
    """What one transaction on one study reads and will write.

    Attributes
    ----------
    bodies
        Bodies to append, numbered from ``head.events + 1``.
    changes
        Leases to write by job; None: to delete.
    """

    def __init__(
        self, head: Head, leases: Mapping[int, Lease], dead: Callable[[str], bool]
    ) -> None:
        self.head = head
        self.trials = head.trials
        self.jobs = head.jobs
        self.bodies: list[Body] = []
        self.changes: dict[int, Lease | None] = {}
        self._leases = leases
        self._dead = dead

    def _lease(self, job: int) -> Lease | None:
        return self.changes[job] if job in self.changes else self._leases.get(job)

    def append(self, bodies: Sequence[Body]) -> None:
        """Write bodies that need no lease; -1 stands for the trial and job numbered last."""
        last = (-1, -1)
        for body in bodies:
            if isinstance(body, Proposed):
                last = self._number(body, body.basis)
            elif isinstance(body, Reported | Ended):
                self._settle(body, *last)
            elif isinstance(body, Started | Requeued):
                raise StoreError(
                    f"a {kind_of(body)!r} event needs a lease: use start() or record()"
                )
            else:
                self.bodies.append(body)

    def _settle(self, body: Reported | Ended, trial: int, job: int) -> None:
        """Append the report or end of an open job, whoever holds it."""
        if body.job == -1:
            if job == -1:
                raise StoreError(f"an {kind_of(body)!r} event has no trial to belong to")
            if body.trial not in (-1, trial):
                raise StoreError(f"the job proposed last is of trial {trial}, not {body.trial}")
            body = replace(body, trial=trial, job=job)
        lease = self._lease(body.job)
        if lease is None:
            raise StoreError(f"job {body.job} has ended already, or was never proposed")
        self._same_trial(body, lease)
        self.bodies.append(body)
        if isinstance(body, Ended):
            self.changes[body.job] = None

    def _number(self, draft: Proposed, basis: int) -> tuple[int, int]:
        """Number a proposal, queue its job, and return its trial and job."""
        if draft.trial == -1:
            trial = self.trials
            self.trials += 1
            if draft.config is None:
                raise StoreError("a new trial needs a config")
        else:
            trial = draft.trial
            if not 0 <= trial < self.trials:
                raise StoreError(f"there is no trial {trial}: the study has {self.trials}")
            if draft.config is not None:
                raise StoreError(f"trial {trial} has its config: a further job brings none")
        job = self.jobs
        self.jobs += 1
        self.bodies.append(
            Proposed(  # by hand: `replace` takes as long as all the rest
                trial,
                job,
                draft.config,
                draft.until,
                draft.scale,
                draft.instance,
                draft.first_step,
                draft.start,
                draft.final,
                draft.origin,
                draft.why,
                basis,
            )
        )
        self.changes[job] = Lease(trial)
        return trial, job

    def acquire_proposer(self, owner: str, ttl: float) -> ProposerLease | None:
        """Give the proposer's lease, unless another owner holds it."""
        held = self._lease(PROPOSER) or Lease(PROPOSER)
        if held.owner not in (None, owner) and not self._lapsed(held):
            return None
        token = held.token + 1
        self.changes[PROPOSER] = Lease(PROPOSER, owner, token, self.head.now + ttl)
        return ProposerLease(owner, token, self.head.events)

    def propose(self, lease: ProposerLease, drafts: Sequence[Proposed]) -> None:
        """Number and append proposals, and take the lease back."""
        held = self._lease(PROPOSER)
        if held is None or (held.owner, held.token) != (lease.owner, lease.token):
            raise LeaseLostError("the right to propose was taken over; nothing was written")
        if held.expires is not None and held.expires <= self.head.now:
            late = self.head.now - held.expires
            raise LeaseLostError(f"the right to propose expired {late:.3g} s ago")
        for draft in drafts:
            self._number(draft, lease.basis)
        self.changes[PROPOSER] = Lease(PROPOSER, None, held.token)

    def release_proposer(self, lease: ProposerLease) -> None:
        """Take the proposer's lease back if it is still this one."""
        held = self._lease(PROPOSER)
        if held is not None and (held.owner, held.token) == (lease.owner, lease.token):
            self.changes[PROPOSER] = Lease(PROPOSER, None, held.token)

    def start(
        self,
        job: int,
        owner: str,
        ttl: float | None,
        resume: Resume | None = None,
        seen: int | None = None,
    ) -> None:
        """Give a queued job to `owner`; does nothing if it is not queued.

        Nor if `seen` is given, and events were written after the one of that number.
        """
        held = self._lease(job)
        if held is None or held.owner is not None or seen not in (None, self.head.events):
            return
        more = {} if resume is None else asdict(resume)
        self._give(held, Started(held.trial, job, owner, held.token + 1, **more), ttl)

    def start_all(self, jobs: Iterable[int], owner: str, ttl: float | None) -> None:
        """Give those of some jobs that are queued to `owner`."""
        for job in jobs:
            self.start(job, owner, ttl)

    def adopt(self, lost: LostJob, owner: str, ttl: float | None) -> None:
        """Give a lost job to `owner`; does nothing if it is lost no more."""
        held = self._lease(lost.job)
        if held is None or not self._holds(lost.job, lost.token) or not self._lapsed(held):
            return
        started = Started(held.trial, lost.job, owner, held.token + 1, adopted=True)
        self._give(held, started, ttl)

    def _give(self, held: Lease, started: Started, ttl: float | None) -> None:
        expires = None if ttl is None else self.head.now + ttl
        self.changes[started.job] = Lease(held.trial, started.owner, started.token, expires)
        self.bodies.append(started)

    def record(
        self, tokens: Mapping[int, int], bodies: Sequence[Reported | Ended | Requeued]
    ) -> None:
        """Append what started jobs did; all of it or, if one lease is lost, nothing."""
        lost = [job for job, token in tokens.items() if not self._holds(job, token)]
        if lost:
            names = ", ".join(map(str, lost))
            raise LeaseLostError(
                f"the lease of job {names} was lost: another owner goes on, or it has ended", lost
            )
        for body in bodies:
            if not isinstance(body, Reported | Ended | Requeued):
                raise StoreError(f"record() does not take a {kind_of(body)!r} event")
            lease = self._lease(body.job)
            if body.job not in tokens:
                raise StoreError(f"no token was given for job {body.job}")
            if lease is None or lease.owner is None:
                raise StoreError(f"an event of job {body.job} follows its end")
            self._same_trial(body, lease)
            self.bodies.append(body)
            if isinstance(body, Ended):
                self.changes[body.job] = None
            elif isinstance(body, Requeued):
                self.changes[body.job] = Lease(lease.trial, None, lease.token)

    def renew(self, tokens: Mapping[int, int], ttl: float) -> tuple[int, ...]:
        """Prolong the leases that are held; return the jobs whose lease is lost."""
        lost = []
        for job, token in tokens.items():
            held = self._lease(job)
            if held is None or not self._holds(job, token):
                lost.append(job)
            elif held.expires is not None:
                self.changes[job] = replace(held, expires=self.head.now + ttl)
        return tuple(lost)

    def _holds(self, job: int, token: int) -> bool:
        lease = self._lease(job)
        return lease is not None and lease.owner is not None and lease.token == token

    def _lapsed(self, lease: Lease) -> bool:
        return lost_because(lease, self.head.now, self._dead) is not None

    @staticmethod
    def _same_trial(body: Reported | Ended | Requeued, lease: Lease) -> None:
        if body.trial != lease.trial:
            raise StoreError(f"job {body.job} belongs to trial {lease.trial}, not {body.trial}")


DEAD = "its driver is dead"


def lost_because(lease: Lease, now: float, dead: Callable[[str], bool]) -> str | None:
    """Return why a lease is lost, or None while it is good or nobody holds it."""
    if lease.owner is None:
        return None
    if dead(lease.owner):
        return DEAD
    if lease.expires is not None and lease.expires <= now:
        return f"its lease expired {now - lease.expires:.3g} s ago"
    return None


def lost_jobs(
    leases: Mapping[int, Lease], now: float, dead: Callable[[str], bool]
) -> list[LostJob]:
    """Return the started jobs whose lease is lost, in order of their numbers."""
    verdicts: dict[str, bool] = {}

    def cached(owner: str) -> bool:
        if owner not in verdicts:
            verdicts[owner] = dead(owner)
        return verdicts[owner]

    rows = []
    for job, lease in sorted(leases.items()):
        reason = None if job == PROPOSER else lost_because(lease, now, cached)
        if reason is not None:
            dead_ = reason is DEAD
            rows.append(LostJob(lease.trial, job, lease.token, reason, lease.expires, dead_))
    return rows
