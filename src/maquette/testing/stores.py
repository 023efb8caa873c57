"""What every store must do, as plain functions: give each a fresh, empty store.

A check raises AssertionError if the store breaks the contract of `maquette.store.Store`::

    @pytest.mark.parametrize("check", STORE_CHECKS)
    def test_contract(check):
        check(MyStore())
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, final

from maquette.errors import StoreError
from maquette.events import (
    Body,
    BudgetChanged,
    Ended,
    Enqueued,
    Event,
    ProgramChanged,
    Proposed,
    Reported,
    Requeued,
    SpaceChanged,
    Started,
    StopAsked,
)
from maquette.store import Store
from maquette.testing.expect import expect, refused
from maquette.testing.leases import (
    check_adopt,
    check_fencing,
    check_lost,
    check_proposer,
    check_proposer_expiry,
    check_record,
    check_renew,
    check_start,
    check_start_all,
)
from maquette.testing.store_steps import numbers, propose, running, told
from maquette.trial import State

HOSTILE_NAMES = (
    "plain",
    "it's",
    'a "quoted" name',
    "x'; DROP TABLE studies; --",
    "../../etc/passwd",
    "%s {0} :name ?",
    "größe 🐘 試験",
    "NULL",
    "n" * 200,
)


def check_empty(store: Store) -> None:
    """A new store holds nothing, and says so."""
    expect(store.studies() == [], "a fresh store holds studies")
    with refused(StoreError, "a study that is not there"):
        store.find("nothing")
    for act in (store.read, store.lost):
        if act is store.read and act(99) == []:
            continue
        with contextlib.suppress(StoreError):
            expect(act(99) == [], "an unknown study has events")
    with refused(StoreError, "an event of an unknown study"):
        store.append(99, told())


def check_names(store: Store) -> None:
    """Names are data, never syntax; what cannot be shown is refused."""
    rows = [store.create(name, {"name": name}) for name in HOSTILE_NAMES]
    expect([row.name for row in store.studies()] == list(HOSTILE_NAMES), "names changed")
    expect(len({row.id for row in rows}) == len(rows), "two studies share an id")
    for row in rows:
        found = store.find(row.name)
        expect((found.id, found.spec) == (row.id, {"name": row.name}), "another study was found")
    for bad in ("", "   ", "a\x00b", "a\nb", "\ud800", "n" * 201):
        with refused(StoreError, f"the name {bad!r}"):
            store.create(bad, {})
    try:
        store.find("plane")
    except StoreError as error:
        expect("'plain'" in str(error), "the nearest name is not given")


def check_create_again(store: Store) -> None:
    """The second creation of a study returns the first, with its spec and events."""
    spec = {"seed": 1, "nested": {"nan": math.nan, "big": 1e308, "list": [1, 2.5, "x", None, True]}}
    row = store.create("a", spec)
    store.append(row.id, told())
    again = store.create("a", {"seed": 2})
    expect((again.id, again.created) == (row.id, row.created), "the study was created anew")
    expect(repr(again.spec) == repr(spec), "the spec changed")
    expect(len(store.read(row.id)) == 2, "events were lost")


def check_every_kind(store: Store) -> None:
    """Every kind of event comes back as it went in, hostile numbers and text included."""
    study = store.create("a", {}).id
    odd = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "huge": 1e308, "tiny": 5e-324}
    config = {**odd, "$": {"$": "nan"}, "text": "é🐘\u2028\x00'\"\\", "none": None, "yes": True}
    bodies: list[Body] = [
        BudgetChanged(trials=3, seconds=math.inf, cost=0.1 + 0.2, workers=4),
        SpaceChanged({"parameters": [{"name": "lr", "low": 1e-4}], "$": "x"}),
        Proposed(
            -1,
            -1,
            config,
            {"steps": 27},
            {"width": 64.0},
            instance="book",
            first_step=3.0,
            start=("a/b", "c"),
            final=False,
            origin="gp:log-ei",
            why={"mean": math.nan},
            basis=7,
        ),
        Reported(-1, -1, 1.5, odd, cost=2.0, seconds=0.25),
        Ended(-1, -1, State.PAUSED, odd, cost=math.nan, seconds=1e-9, message="x\ny'"),
        Proposed(0, -1, None, instance=True),
        Ended(-1, -1, State.CRASHED, message="Traceback: no more memory"),
        StopAsked((0, 3), now=True, reason="é"),
        Enqueued(config, {"width": 64.0}, of=0),
        ProgramChanged({"words": ["python", "--lr={lr}"]}, math.inf),
    ]
    written = store.append(study, bodies)
    _, job, token = running(store, study, "owner")
    written += store.read(study, written[-1].number)
    written += store.record(study, {job: token}, [Requeued(1, job, "gone")])
    kept = store.read(study)
    expect(repr(kept) == repr(written), "what is read is not what was written")
    expect(numbers(kept) == list(range(1, len(kept) + 1)), "numbers have gaps")
    given: Any = bodies[2]
    read: Any = kept[2].body
    expect(repr(read.config) == repr(config), "a config changed")
    expect((read.trial, read.job, read.start) == (0, 0, given.start), "a proposal changed")
    times = [event.time for event in kept]
    expect(times == sorted(times), "later events have earlier times")
    expect(abs(times[0] - time.time()) < 3600 * 24 * 365, "times are not seconds since the epoch")


def check_numbering(store: Store) -> None:
    """Trials and jobs are numbered without gaps, in each study for itself."""
    first, second = (store.create(name, {}).id for name in "ab")
    for study in (first, second, first):
        store.append(study, told() + told())
    propose(store, first, 3)
    store.append(first, [Proposed(0, -1, None), Ended(-1, -1, State.DONE)])
    bodies: list[Any] = [event.body for event in store.read(first)]
    proposed = [(b.trial, b.job) for b in bodies if isinstance(b, Proposed)]
    expect(proposed == [*((i, i) for i in range(7)), (0, 7)], f"numbers are {proposed}")
    ended = [(b.trial, b.job) for b in bodies if isinstance(b, Ended)]
    expect(ended == [(0, 0), (1, 1), (2, 2), (3, 3), (0, 7)], f"ends are {ended}")
    expect(numbers(store.read(second)) == [1, 2, 3, 4], "studies share their numbers")


def check_incremental(store: Store) -> None:
    """Reading on from the last number gives what came since, and nothing twice."""
    study = store.create("a", {}).id
    seen: list[Event] = []
    for i in range(5):
        store.append(study, told(float(i)))
        seen += store.read(study, len(seen))
    expect(numbers(seen) == list(range(1, 11)), "a reader skipped or doubled an event")
    expect(store.read(study, 10) == [] == store.read(study, 999), "events out of nothing")
    expect(store.append(study, []) == [], "nothing appended gave events")


def check_atomic(store: Store) -> None:
    """What is refused leaves no trace, not even a number."""
    study = store.create("a", {}).id
    store.append(study, told())
    before = store.read(study)
    wrong: list[list[Body]] = [
        [*told(), Ended(0, 0, State.DONE)],  # it has ended
        [*told(), Reported(0, 5, 1.0, {})],  # never proposed
        [Ended(-1, -1, State.DONE)],  # of what?
        [*told(), Proposed(7, -1, None)],  # no such trial
        [*told(), Proposed(-1, -1, None)],  # no config
        [*told(), Proposed(0, -1, {"lr": 1.0})],  # a second config
        [*told(), Proposed(-1, -1, {"f": object()})],  # not JSON
        [Proposed(-1, -1, {}), Started(1, 1, "me", 1)],  # needs start()
        [Proposed(-1, -1, {}), Requeued(1, 1)],  # needs record()
        [Proposed(-1, -1, {}), Ended(0, -1, State.DONE), Ended(-1, -1, State.DONE)],
    ]
    for bodies in wrong:
        with refused(StoreError, repr(bodies)):
            store.append(study, bodies)
    expect(store.read(study) == before, "something refused was written")
    more: Any = store.append(study, told())[0]
    expect((more.number, more.body.trial, more.body.job) == (3, 1, 1), "a number was used up")


@final
class _Interrupted(list[Body]):
    """Bodies of which only the first comes before Ctrl-C."""

    def __iter__(self) -> Iterator[Body]:
        yield self[0]
        raise KeyboardInterrupt


def check_interrupted(store: Store) -> None:
    """An interrupt in the middle of a transaction leaves no trace and no lock."""
    study = store.create("a", {}).id
    with contextlib.suppress(KeyboardInterrupt):
        store.append(study, _Interrupted(told()))
        raise AssertionError("the interrupt was swallowed")
    expect(store.read(study) == [], "half a transaction was written")
    store.append(study, told())
    expect(numbers(store.read(study)) == [1, 2], "the store is not usable after an interrupt")


def check_copies(store: Store) -> None:
    """Events do not change when the caller's objects do."""
    study = store.create("a", {}).id
    config = {"lr": 0.1, "layers": [1, 2]}
    store.append(study, [Proposed(-1, -1, config)])
    config["lr"] = 9.0
    config["layers"] = []
    body: Any = store.read(study)[0].body
    expect(body.config == {"lr": 0.1, "layers": [1, 2]}, "an event changed")


def check_threads(store: Store) -> None:
    """Threads that write at once lose, double and skip nothing."""
    study = store.create("a", {}).id
    errors: list[BaseException] = []
    seen: list[Event] = []

    def write() -> None:
        try:
            for i in range(10):
                store.append(study, told(float(i)))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen += store.read(study, len(seen))
    seen += store.read(study, len(seen))
    expect(not errors, f"a thread failed: {errors[:1]}")
    expect(numbers(seen) == list(range(1, 121)), "a reader skipped or doubled an event")
    trials = [e.body.trial for e in seen if isinstance(e.body, Proposed)]
    expect(trials == list(range(60)), "trials were lost or doubled")


def check_close(store: Store) -> None:
    """Closing twice is no error."""
    store.create("a", {})
    store.close()
    store.close()


STORE_CHECKS: tuple[Callable[[Store], None], ...] = (
    check_empty,
    check_names,
    check_create_again,
    check_every_kind,
    check_numbering,
    check_incremental,
    check_atomic,
    check_interrupted,
    check_copies,
    check_proposer,
    check_proposer_expiry,
    check_start,
    check_start_all,
    check_fencing,
    check_record,
    check_lost,
    check_adopt,
    check_renew,
    check_threads,
    check_close,
)
