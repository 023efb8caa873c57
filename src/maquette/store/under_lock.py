"""What a transaction that has the study's row locked reads and writes beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from maquette.events import Event, kind_of, place_of
from maquette.store import codec
from maquette.store.ledger import Lease, Ledger
from maquette.store.schema import events, leases, studies

_AT_ONCE = 1_000  # bound parameters; databases have a limit
_LEASES = select(
    leases.c.job, leases.c.trial, leases.c.owner, leases.c.token, leases.c.expires
).where(leases.c.study == bindparam("study"))
_LEASES_OF = _LEASES.where(leases.c.job.in_(bindparam("jobs", expanding=True)))
HELD = _LEASES.where(leases.c.owner.is_not(None))
_ADVANCE = (
    update(studies)
    .where(studies.c.id == bindparam("study"))
    .values(n_events=bindparam("e"), n_trials=bindparam("t"), n_jobs=bindparam("j"))
)
_DROP_LEASE = delete(leases).where(
    leases.c.study == bindparam("of"), leases.c.job == bindparam("this")
)
_CHANGE_LEASE = (
    update(leases)
    .where(leases.c.study == bindparam("of"), leases.c.job == bindparam("this"))
    .values(owner=bindparam("o"), token=bindparam("t"), expires=bindparam("x"))
)


def lease_map(rows: Iterable[Sequence[Any]]) -> dict[int, Lease]:
    """Return leases by job, from rows of the table."""
    return {job: Lease(trial, owner, token, expires) for job, trial, owner, token, expires in rows}


def read_leases(connection: Connection, study: int, jobs: list[int]) -> dict[int, Lease]:
    """Return the leases of jobs that have one."""
    found: dict[int, Lease] = {}
    for first in range(0, len(jobs), _AT_ONCE):
        some = {"study": study, "jobs": jobs[first : first + _AT_ONCE]}
        found |= lease_map(connection.execute(_LEASES_OF, some).all())
    return found


def write_leases(
    connection: Connection,
    study: int,
    held: Mapping[int, Lease],
    changes: Mapping[int, Lease | None],
) -> None:
    """Write what the rules changed; None: the lease is dropped."""
    new, changed, gone = [], [], []
    for job, lease in changes.items():
        if lease is None:
            if job in held:
                gone.append({"of": study, "this": job})
        elif job in held:
            values = {"o": lease.owner, "t": lease.token, "x": lease.expires}
            changed.append({"of": study, "this": job, **values})
        else:
            row = {"trial": lease.trial, "owner": lease.owner, "token": lease.token}
            new.append({"study": study, "job": job, **row, "expires": lease.expires})
    if new:
        connection.execute(insert(leases), new)
    if changed:
        connection.execute(_CHANGE_LEASE, changed)
    if gone:
        connection.execute(_DROP_LEASE, gone)


def write_events(connection: Connection, study: int, ledger: Ledger) -> list[Event]:
    """Write what the ledger holds, and how far the study goes now; return the events."""
    if not ledger.bodies:
        return []
    head, rows, written = ledger.head, [], []
    for number, body in enumerate(ledger.bodies, head.events + 1):
        kind, text = kind_of(body), codec.encode(body)
        trial, job = place_of(body)
        written.append(Event(number, head.now, codec.copied(body)))
        row = {"study": study, "number": number, "time": head.now, "kind": kind}
        rows.append({**row, "trial": trial, "job": job, "body": text})
    connection.execute(insert(events), rows)
    last = {"e": rows[-1]["number"], "t": ledger.trials, "j": ledger.jobs}
    connection.execute(_ADVANCE, {"study": study, **last})
    return written
