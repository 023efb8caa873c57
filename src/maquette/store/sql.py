"""The store on a database: one code for SQLite and PostgreSQL.

Every write is one short transaction that first locks the study's row (SQLite: the file), so that
event numbers are given in commit order. Nothing is computed while the lock is held but the rules
of `ledger`.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, final

from sqlalchemy import Connection, Engine, Pool, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from maquette.errors import StoreError, StoreUnavailableError
from maquette.events import (
    Body,
    Ended,
    Event,
    Events,
    Proposed,
    Reported,
    Requeued,
    Resume,
)
from maquette.store import codec, migrations
from maquette.store.failures import explain, translated
from maquette.store.ledger import PROPOSER, Head, Ledger, lost_jobs
from maquette.store.names import checked_name, no_such_study
from maquette.store.owner import provably_dead
from maquette.store.protocol import LostJob, ProposerLease, StudyRow
from maquette.store.schema import Clock, events, studies
from maquette.store.under_lock import HELD, lease_map, read_leases, write_events, write_leases

if TYPE_CHECKING:
    from maquette.store.backend import Backend
    from maquette.store.optimistic import View

T = TypeVar("T")
_NO_LIMIT = 2**62
_FORM = codec.JSONForm()

# How long to find out whether a transaction is in whose COMMIT was not answered. The server ends a
# transaction that was cut off within seconds, see `postgres`.
DOUBT_SECONDS = 90.0

# Connections that a forked child got from its parent: closing them there would disturb the parent.
_INHERITED: list[Pool] = []

_LOCKED = (
    select(studies.c.n_events, studies.c.n_trials, studies.c.n_jobs)
    .where(studies.c.id == bindparam("study"))
    .with_for_update()
    .subquery()
)
_HEAD = select(_LOCKED, Clock().label("now"))  # the clock is read after the lock is got
_INSERT: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_CLOCK = select(Clock())
_ROW = select(studies.c.id, studies.c.name, studies.c.spec, studies.c.created)
_FIND = _ROW.where(studies.c.name == bindparam("name"))
_READ = (
    select(
        events.c.number, events.c.time, events.c.kind, events.c.trial, events.c.job, events.c.body
    )
    .where(
        events.c.study == bindparam("study"),
        events.c.number > bindparam("after"),
        events.c.number <= bindparam("last"),
    )
    .order_by(events.c.number)
)


@final
class SQLStore:
    """Keeps studies in an SQLite file or a PostgreSQL database.

    Parameters
    ----------
    engine
        From `sqlite_engine` or `postgres_engine`.
    url
        Where it is, without secrets; errors name it.
    read_only
        Whether to leave the schema as it is; writing raises StoreError.
    """

    def __init__(self, engine: Engine, url: str, *, read_only: bool = False) -> None:
        self._engine = engine
        self._url = url
        self._postgres = engine.dialect.name == "postgresql"
        self._known: dict[int, int] = {}
        self._pid = os.getpid()
        # Threads of one process queue here rather than in SQLite, whose waiters sleep and retry.
        self._turnstile = threading.Lock()
        try:
            with translated(url):
                migrations.ensure(engine, url, write=not read_only)
        except BaseException:
            engine.dispose()
            raise

    @property
    def url(self) -> str:
        """Where the store is, without secrets."""
        return self._url

    def _own_engine(self) -> Engine:
        """Return the engine; in a forked child, one that shares no connection with its parent."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._turnstile = threading.Lock()
            _INHERITED.append(self._engine.pool)
            self._engine.dispose(close=False)
        return self._engine

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated(self._url):
            engine = self._own_engine().execution_options(maquette_read=True)
            with engine.connect() as connection:
                yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with translated(self._url):
            engine = self._own_engine()
            if self._postgres:
                engine = engine.execution_options(isolation_level="READ COMMITTED")
            with self._turnstile, engine.begin() as connection:
                yield connection

    def create(self, name: str, spec: Mapping[str, Any]) -> StudyRow:
        """Return the study of that name, created with `spec` if there was none."""
        checked_name(name)
        row = self._find(name)
        if row is not None:
            return row
        text = codec.dumps(spec)
        with self._writing() as connection:
            now = connection.execute(_CLOCK).scalar_one()
            values = {"name": name, "spec": text, "created": now}
            # Of two processes that create one study at once, the first wins.
            add = _INSERT[connection.dialect.name](studies).on_conflict_do_nothing()
            connection.execute(add, {**values, "n_events": 0, "n_trials": 0, "n_jobs": 0})
        return self.find(name)

    def _find(self, name: str) -> StudyRow | None:
        with self._reading() as connection:
            row = connection.execute(_FIND, {"name": name}).first()
        return None if row is None else _study_row(row)

    def find(self, name: str) -> StudyRow:
        """Return the study of that name; StoreError names the nearest if there is none."""
        row = self._find(name)
        if row is None:
            raise no_such_study(name, [study.name for study in self.studies()], self._url)
        return row

    def studies(self) -> list[StudyRow]:
        """Return all studies, oldest first."""
        with self._reading() as connection:
            return [_study_row(row) for row in connection.execute(_ROW.order_by(studies.c.id))]

    def read(self, study: int, after: int = 0, limit: int | None = None) -> Events:
        """Return the events numbered above `after`, in order; at most the first `limit`."""
        last = _NO_LIMIT if limit is None else after + limit
        rows: Sequence[Any]
        if self._postgres:
            from maquette.store import optimistic

            rows = optimistic.read(self._own_engine(), self._url, study, after, last)
        else:
            with self._reading() as connection:
                sought = {"study": study, "after": after, "last": last}
                rows = connection.execute(_READ, sought).fetchall()
        if rows:
            self._note(study, rows[-1][0])
        return Events(rows, _FORM)

    def _turn(
        self,
        study: int,
        jobs: Collection[int],
        act: Callable[[Ledger], T],
        view: View | None = None,
        *,
        still: bool = False,
    ) -> tuple[T, list[Event]]:
        """Run one transaction: all that the ledger holds is written, or nothing.

        `view` and `still` are as for `optimistic.Turn`, where that is used.
        """
        before = self._known.get(study, 0)
        if self._postgres:
            from maquette.store import optimistic

            turn = optimistic.Turn(study, jobs, act, view, still)
            try:
                done = optimistic.take(self._own_engine(), self._url, turn)
            except optimistic.UnansweredError as doubt:
                after, backend = doubt.ledger.head.events, doubt.backend
                events = self._settled(study, after, doubt.found, backend)
                if events is None:
                    raise explain(self._url, doubt.__cause__) from doubt.__cause__
                done = doubt.result, events
            if done is not None:
                self._go_on(study, before, done[1])
                return done
        return self._locked_turn(study, jobs, act)

    def _locked_turn(
        self, study: int, jobs: Iterable[int], act: Callable[[Ledger], T]
    ) -> tuple[T, list[Event]]:
        """Run one transaction that has the lock from its start."""
        before = self._known.get(study, 0)
        for attempts_left in (1, 0):
            committing, written = False, list[Event]()
            try:
                with self._writing() as connection:
                    found = connection.execute(_HEAD, {"study": study}).first()
                    if found is None:
                        raise StoreError(f"there is no study with id {study} in {self._url}")
                    head = Head(*found)
                    held = read_leases(connection, study, [job for job in jobs if job >= PROPOSER])
                    ledger = Ledger(head, held, provably_dead)
                    result = act(ledger)
                    write_leases(connection, study, held, ledger.changes)
                    written = write_events(connection, study, ledger)
                    committing = True
            except StoreUnavailableError as error:
                cause = error.__cause__
                cut = isinstance(cause, DBAPIError) and cause.connection_invalidated
                if cut and attempts_left and not committing:
                    continue  # cut before COMMIT was sent: nothing of it is in
                if not (committing and cut and written and self._arrived(study, written[0])):
                    raise
            break
        self._go_on(study, before, written)
        return result, written

    def _arrived(self, study: int, event: Event) -> bool:
        """Whether a transaction whose COMMIT was not answered is in; `event` is its first.

        No other transaction can have written the same number at the same time by the store's clock.
        """
        mark = (event.number, event.time)
        return self._settled(
            study, event.number - 1, lambda rows: mark in [(e.number, e.time) for e in rows[:1]]
        )

    def _settled(
        self,
        study: int,
        after: int,
        look: Callable[[Sequence[Event]], T],
        backend: Backend | None = None,
    ) -> T:
        """Return what `look` makes of the events since `after`, once a lost transaction is over.

        The study's row is locked first, so a transaction that had it is done; one that had yet to
        get it can no more once the server's process that would have run it is ended.
        """
        deadline = time.monotonic() + DOUBT_SECONDS
        while True:
            try:
                if backend is not None:
                    with self._reading() as connection:
                        backend.end(connection)
                with self._writing() as connection:
                    connection.execute(_HEAD, {"study": study}).one()
                    sought = {"study": study, "after": after, "last": _NO_LIMIT}
                    rows = connection.execute(_READ, sought).fetchall()
                    return look(Events(rows, _FORM))
            except StoreUnavailableError as error:
                if time.monotonic() > deadline:
                    raise StoreError(
                        [f"event {after + 1} may or may not have been written", *error.problems],
                        hint="once the store answers, look whether it is there before you repeat",
                    ) from error
            time.sleep(0.2)

    def _go_on(self, study: int, before: int, written: Sequence[Event]) -> None:
        """Take in what was written; StoreError if events up to `before` are there no more."""
        if not written:
            return
        if written[0].number <= before:
            raise StoreError(
                f"{self._url} has lost events: {before} had been seen, and number "
                f"{written[0].number} was given again",
                hint="a failover or a restored copy lost the last ones; run the same command "
                "again, which reads the study anew",
            )
        self._note(study, written[-1].number)

    def _note(self, study: int, last: int) -> None:
        """Remember how far a study is known to go."""
        self._known[study] = max(self._known.get(study, 0), last)

    def append(self, study: int, bodies: Sequence[Body]) -> list[Event]:
        """Write events that need no lease in one transaction."""
        jobs = {body.job for body in bodies if isinstance(body, Reported | Ended)} - {-1}
        # What is told bears no token by which it could be known again if the line is cut, so the
        # slow way is taken, in which it has its number before it is committed.
        return self._locked_turn(study, jobs, lambda ledger: ledger.append(bodies))[1]

    def acquire_proposer(self, study: int, owner: str, ttl: float) -> ProposerLease | None:
        """Take the right to propose for `ttl` seconds; None while another owner holds it."""
        return self._turn(study, [PROPOSER], lambda ledger: ledger.acquire_proposer(owner, ttl))[0]

    def propose(self, study: int, lease: ProposerLease, drafts: Sequence[Proposed]) -> list[Event]:
        """Number and write proposals and give the lease back."""
        return self._turn(study, [PROPOSER], lambda ledger: ledger.propose(lease, drafts))[1]

    def release_proposer(self, study: int, lease: ProposerLease) -> None:
        """Give the lease back with nothing written; a lease already lost is no error."""
        self._turn(study, [PROPOSER], lambda ledger: ledger.release_proposer(lease))

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
        written = self._turn(
            study,
            [job],
            lambda ledger: ledger.start(job, owner, ttl, resume, seen),
            still=seen is not None,
        )[1]
        return written[0] if written else None

    def start_all(
        self, study: int, jobs: Sequence[int], owner: str, ttl: float | None
    ) -> list[Event]:
        """Take those of some jobs that are queued, in one transaction."""
        return self._turn(study, jobs, lambda ledger: ledger.start_all(jobs, owner, ttl))[1]

    def adopt(self, study: int, lost: LostJob, owner: str, ttl: float | None) -> Event | None:
        """Take over a lost job that goes on by itself and write `Started`."""
        written = self._turn(study, [lost.job], lambda ledger: ledger.adopt(lost, owner, ttl))[1]
        return written[0] if written else None

    def record(
        self, study: int, tokens: Mapping[int, int], bodies: Sequence[Reported | Ended | Requeued]
    ) -> list[Event]:
        """Write what started jobs did; `tokens` maps job to fencing token."""
        view = None
        if self._postgres:
            from maquette.store.optimistic import assumed

            view = assumed(self._known.get(study, 0), tokens, bodies)
        return self._turn(study, tokens, lambda ledger: ledger.record(tokens, bodies), view)[1]

    def renew(self, study: int, tokens: Mapping[int, int], ttl: float) -> tuple[int, ...]:
        """Prolong the leases of jobs; return the jobs whose lease was lost."""
        return self._turn(study, tokens, lambda ledger: ledger.renew(tokens, ttl))[0]

    def lost(self, study: int) -> list[LostJob]:
        """Return started jobs whose lease has expired or whose owner is provably dead."""
        with self._reading() as connection:
            now = connection.execute(_CLOCK).scalar_one()
            held = lease_map(connection.execute(HELD, {"study": study}).all())
        return lost_jobs(held, now, provably_dead)

    def close(self) -> None:
        """Let go of all connections; idempotent."""
        self._own_engine().dispose()


def _study_row(row: Sequence[Any]) -> StudyRow:
    number, name, spec, created = row
    return StudyRow(number, name, codec.loads(spec), created)
