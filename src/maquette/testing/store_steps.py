"""Steps that the contract of stores is written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maquette.events import Body, Ended, Event, Proposed, Started
from maquette.store import Store, new_owner
from maquette.testing.expect import expect
from maquette.trial import State


def told(value: float = 1.0, **config: Any) -> list[Body]:
    """Return a finished trial as a user tells it."""
    return [
        Proposed(-1, -1, config or {"lr": 0.1}),
        Ended(-1, -1, State.DONE, {"loss": value}, seconds=1.5),
    ]


def propose(store: Store, study: int, n: int = 1) -> list[Event]:
    """Propose n new trials in the three steps."""
    lease = store.acquire_proposer(study, new_owner(), 60.0)
    expect(lease is not None, "the proposer's lease was not given")
    if lease is None:
        return []
    return store.propose(study, lease, [Proposed(-1, -1, {"lr": 0.1 * i}) for i in range(n)])


def running(store: Store, study: int, owner: str, ttl: float | None = 60.0) -> tuple[int, int, int]:
    """Propose and start a trial; return its trial, job and token."""
    job = job_of(propose(store, study)[0])
    event = store.start(study, job, owner, ttl)
    expect(event is not None and isinstance(event.body, Started), "a queued job was not given")
    body: Any = event.body if event else None
    return body.trial, body.job, body.token


def job_of(event: Event) -> int:
    """Return the job that an event belongs to; -1: none."""
    return int(getattr(event.body, "job", -1))


def numbers(events: Sequence[Event]) -> list[int]:
    """Return the events' numbers."""
    return [event.number for event in events]
