"""What every store is: numbered events, leases, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

from maquette.errors import StoreError
from maquette.events import Body, Ended, Event, Proposed, Reported, Requeued, Resume


@final
class LeaseLostError(StoreError):
    """A lease expired or was taken over; nothing was written.

    `jobs` names the jobs whose lease is lost; empty for the proposer's lease.
    """

    code = "MQ353"

    def __init__(self, problem: str, jobs: Sequence[int] = ()) -> None:
        self.jobs = tuple(jobs)
        super().__init__(problem)


@final
@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study as stored: `spec` is what it was created with, JSON-ready."""

    id: int
    name: str
    spec: Mapping[str, Any]
    created: float


@final
@dataclass(frozen=True, slots=True)
class ProposerLease:
    """The right to propose; `basis` is the number of the last event when it was given."""

    owner: str
    token: int
    basis: int


@final
@dataclass(frozen=True, slots=True)
class LostJob:
    """A started job whose lease has expired or whose owner is provably dead.

    `expires` is when its lease ran out or would have, by the store's clock; None: it had no end.
    `dead`: its owner is provably dead, whatever any clock says.
    """

    trial: int
    job: int
    token: int
    reason: str
    expires: float | None = None
    dead: bool = False


@runtime_checkable
class Store(Protocol):
    """Keeps studies. Every method is one short transaction; numbers are given under a lock."""

    @property
    def url(self) -> str:
        """Where the store is, without secrets."""

    def create(self, name: str, spec: Mapping[str, Any]) -> StudyRow:
        """Return the study of that name, created with `spec` if there was none."""

    def find(self, name: str) -> StudyRow:
        """Return the study of that name; StoreError names the nearest if there is none."""

    def studies(self) -> list[StudyRow]:
        """Return all studies, oldest first."""

    def read(self, study: int, after: int = 0, limit: int | None = None) -> Sequence[Event]:
        """Return the events numbered above `after`, in order; at most the first `limit`.

        A body may be decoded only when it is looked at; StoreError then, if it is damaged.
        """

    def append(self, study: int, bodies: Sequence[Body]) -> list[Event]:
        """Write events that need no lease (budget, space, told results) in one transaction.

        A `Proposed` or `Ended` whose trial or job is -1 is numbered here: the next trial, and for
        every body that follows with -1 the trial and job numbered last.
        """

    def acquire_proposer(self, study: int, owner: str, ttl: float) -> ProposerLease | None:
        """Take the right to propose for `ttl` seconds; None while another owner holds it."""

    def propose(self, study: int, lease: ProposerLease, drafts: Sequence[Proposed]) -> list[Event]:
        """Number and write proposals and give the lease back; LeaseLostError if it has expired.

        A draft with trial -1 is a new trial; every draft's job is numbered here, and its `basis`
        is the lease's.
        """

    def release_proposer(self, study: int, lease: ProposerLease) -> None:
        """Give the lease back with nothing written; a lease already lost is no error."""

    def start(
        self,
        study: int,
        job: int,
        owner: str,
        ttl: float | None,
        resume: Resume | None = None,
        seen: int | None = None,
    ) -> Event | None:
        """Take a queued job for `ttl` seconds (None: until it ends) and write `Started`.

        `resume` says from where it goes on, if not as proposed. Returns None if another owner has
        taken it, or it is not queued any more; or if `seen` is given, and the study has events
        after the one of that number: so that what was decided from them still holds.
        """

    def start_all(
        self, study: int, jobs: Sequence[int], owner: str, ttl: float | None
    ) -> list[Event]:
        """Take those of some jobs that are queued, as `start` does, in one transaction."""

    def adopt(self, study: int, lost: LostJob, owner: str, ttl: float | None) -> Event | None:
        """Take over a lost job that goes on by itself, for `ttl` seconds, and write `Started`.

        The job gets a new token, and its former owner's is refused from then on. Returns None,
        and nothing is written, if it is not lost any more: another owner was quicker, or the
        former one renewed its lease.
        """

    def record(
        self, study: int, tokens: Mapping[int, int], bodies: Sequence[Reported | Ended | Requeued]
    ) -> list[Event]:
        """Write what started jobs did; `tokens` maps job to fencing token.

        `Ended` and `Requeued` give the job's lease back. LeaseLostError, and nothing written, if
        the token of any job is not the current one.
        """

    def renew(self, study: int, tokens: Mapping[int, int], ttl: float) -> tuple[int, ...]:
        """Prolong the leases of jobs; return the jobs whose lease was lost."""

    def lost(self, study: int) -> list[LostJob]:
        """Return started jobs whose lease has expired or whose owner is provably dead."""

    def close(self) -> None:
        """Let go of all connections; idempotent."""
