"""Turns on PostgreSQL that hold the study's row for a moment only: optimistic concurrency control.

The rules of `ledger` are computed from a view of the study, with nothing locked. One statement then
locks the study's row, compares the leases with those of the view, writes what the rules decided and
commits, so that no time of the network or of this process passes under the lock. Where something
has changed in between, nothing is written, and the turn is taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, final

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from maquette.errors import StoreError
from maquette.events import Ended, Event, Reported, Requeued, kind_of, place_of
from maquette.store import codec
from maquette.store.backend import BACKEND, Backend
from maquette.store.failures import explain
from maquette.store.ledger import Head, Lease, Ledger
from maquette.store.owner import provably_dead
from maquette.store.postgres_sql import LOOK, READ, statement

T = TypeVar("T")
TRIES: Final = 4
"""How often a turn is taken again before it is taken under the lock from the start."""

ANYBODY: Final = "anybody"
"""Owner of a lease that is held, in a view that is assumed rather than read."""


@final
@dataclass(frozen=True, slots=True)
class View:
    """What a turn is computed from: read with nothing locked, or what its caller takes for granted.

    Of a view that is assumed, only trials and tokens are known, and that somebody holds the leases.
    """

    head: Head
    held: Mapping[int, Lease]
    assumed: bool = False


@final
@dataclass(frozen=True, slots=True)
class Turn(Generic[T]):
    """One turn of a study: what to do, from which leases.

    Attributes
    ----------
    jobs
        Those whose leases the rules read.
    act
        Runs the rules; it may be called more than once, with another ledger each time.
    view
        What to take for granted at first; None: the study is looked at.
    still
        Whether no event may be written between the look and the turn.
    """

    study: int
    jobs: Collection[int]
    act: Callable[[Ledger], T]
    view: View | None = None
    still: bool = False


@final
class UnansweredError(Exception):
    """The connection was lost while events were written: they are in, or they are not.

    Attributes
    ----------
    ledger, result
        What was to be written, and what the turn would have returned.
    backend
        The server's process to which it was sent.
    """

    def __init__(self, ledger: Ledger, result: Any, backend: Backend) -> None:
        self.ledger, self.result, self.backend = ledger, result, backend
        super().__init__("the connection was lost")

    def found(self, events: Sequence[Event]) -> list[Event] | None:
        """Return what was written, from the events since the view; None: nothing was."""
        bodies = [(event.kind, event.body) for event in events]
        sought = [(kind_of(body), codec.copied(body)) for body in self.ledger.bodies]
        for first in range(len(bodies) - len(sought) + 1):
            if bodies[first : first + len(sought)] == sought:
                return list(events[first : first + len(sought)])
        return None


def assumed(
    last: int, tokens: Mapping[int, int], bodies: Sequence[Reported | Ended | Requeued]
) -> View | None:
    """Return the view of a driver that holds the leases of its jobs; None if it says too little.

    `last` is the number of any event that is known to be there.
    """
    trials = {body.job: body.trial for body in bodies}
    if trials.keys() != tokens.keys():
        return None
    held = {job: Lease(trials[job], ANYBODY, token) for job, token in tokens.items()}
    return View(Head(last, 0, 0, 0.0), held, assumed=True)


def take(engine: Engine, url: str, turn: Turn[T]) -> tuple[T, list[Event]] | None:
    """Take a turn; None, and nothing is written, where it has to be taken the slow way.

    That is where others keep changing what it depends on, where the rules refuse it (what they say
    then should be true under the lock), and behind a pooler, which may deliver what is not answered
    whenever it likes.

    Raises
    ------
    UnansweredError
        If the connection is lost while events are written.
    StoreError
        If the server fails or refuses.
    """
    view = turn.view
    for _ in range(TRIES):
        with _line(engine, url) as (line, backend):
            if backend.pooled:
                return None
            view = view or _look(line, turn)
            if view is None:
                return None
            ledger = Ledger(view.head, view.held, provably_dead)
            try:
                result = turn.act(ledger)
            except StoreError:
                if not view.assumed:
                    return None
                view = None
                continue
            if not (ledger.bodies or ledger.changes):
                return None if result else (result, [])
            try:
                events = _commit(line, turn, view, ledger)
            except psycopg.Error as error:
                if line.closed and ledger.bodies:
                    raise UnansweredError(ledger, result, backend) from error
                raise
        if events is not None:
            return result, events
        view = None
    return None


def read(engine: Engine, url: str, study: int, after: int, last: int) -> Sequence[Any]:
    """Read the rows of the events above `after`, up to `last`."""
    values = {"study": study, "after": after, "last": last}
    with _line(engine, url) as (line, backend):
        return line.execute(READ, values, prepare=not backend.pooled).fetchall()


@contextmanager
def _line(engine: Engine, url: str) -> Iterator[tuple[psycopg.Connection[Any], Backend]]:
    """Lend a connection that begins no transaction by itself."""
    try:
        lent = engine.raw_connection()
    except DBAPIError as error:
        raise explain(url, error.orig) from error
    except psycopg.Error as error:  # as it is, where the pool connects anew
        raise explain(url, error) from error
    line: Any = lent.driver_connection
    try:
        yield line, lent.info[BACKEND]
    except psycopg.Error as error:
        raise explain(url, error) from error
    finally:
        if line.closed:
            lent.invalidate()
        lent.close()


def _look(line: psycopg.Connection[Any], turn: Turn[Any]) -> View | None:
    """Read the head and the leases in one statement; None if there is no such study."""
    values = {"study": turn.study, "jobs": list(turn.jobs)}
    rows = line.execute(LOOK, values, prepare=True).fetchall()
    if not rows:
        return None
    held = {row[4]: Lease(row[5], row[6], row[7], row[8]) for row in rows if row[4] is not None}
    return View(Head(*rows[0][:4]), held)


def _commit(
    line: psycopg.Connection[Any], turn: Turn[Any], view: View, ledger: Ledger
) -> list[Event] | None:
    """Write what the ledger holds if the view is still true; None, and nothing written, if not."""
    texts = [codec.encode(body) for body in ledger.bodies]
    values = {"study": turn.study, **_seen(turn, view, ledger)}
    values |= _events(ledger, texts) | _changes(view, ledger)
    parts = [name for name in ("bodies", "new_jobs", "old_jobs", "gone") if values.get(name)]
    try:
        answer = line.execute(statement(*parts), values, prepare=True)
    except psycopg.errors.UniqueViolation:
        return None  # a lease that the view has not is there
    last, now, _ = answer.fetchone() or (None, None, None)
    if last is None or now is None:
        return None
    return [
        Event(number, now, codec.copied(body))
        for number, body in enumerate(ledger.bodies, last + 1)
    ]


def _seen(turn: Turn[Any], view: View, ledger: Ledger) -> dict[str, Any]:
    """Return what must still be true under the lock."""
    rows = [(job, view.held[job]) for job in sorted(turn.jobs) if job in view.held]
    head = view.head
    numbered = (ledger.trials, ledger.jobs) != (head.trials, head.jobs)
    return {
        "jobs": [job for job, _ in rows],
        "trials": [lease.trial for _, lease in rows],
        "owners": [lease.owner for _, lease in rows],
        "tokens": [lease.token for _, lease in rows],
        "lapsed": [lease.expires is not None and lease.expires <= head.now for _, lease in rows],
        "n_held": len(rows),
        "assumed": view.assumed,
        "n_events": head.events if turn.still else None,
        "n_trials": head.trials if numbered else None,
        "n_jobs": head.jobs if numbered else None,
    }


def _events(ledger: Ledger, texts: Sequence[str]) -> dict[str, Any]:
    more = {"more_events": len(texts)}
    if not texts:
        return more
    bodies, head = ledger.bodies, ledger.head
    return {
        **more,
        "more_trials": ledger.trials - head.trials,
        "more_jobs": ledger.jobs - head.jobs,
        "kinds": [kind_of(body) for body in bodies],
        "of_trials": [place_of(body)[0] for body in bodies],
        "of_jobs": [place_of(body)[1] for body in bodies],
        "bodies": list(texts),
    }


def _changes(view: View, ledger: Ledger) -> dict[str, Any]:
    """Return the leases to write and to drop; a lease runs from the clock's time under the lock."""
    values: dict[str, Any] = {}
    kept = [(job, lease) for job, lease in ledger.changes.items() if lease is not None]
    for name, there in (("new", False), ("old", True)):
        rows = [(job, lease) for job, lease in kept if (job in view.held) == there]
        if rows:
            left = [None if x.expires is None else x.expires - view.head.now for _, x in rows]
            values |= {
                f"{name}_jobs": [job for job, _ in rows],
                f"{name}_trials": [lease.trial for _, lease in rows],
                f"{name}_owners": [lease.owner for _, lease in rows],
                f"{name}_tokens": [lease.token for _, lease in rows],
                f"{name}_remaining": left,
            }
    gone = [job for job, lease in ledger.changes.items() if lease is None and job in view.held]
    return values | ({"gone": gone} if gone else {})
