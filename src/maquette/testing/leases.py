"""What every store must do with leases: one proposer, one owner a job, and zombies fenced off."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any

from maquette.errors import StoreError
from maquette.events import Ended, Event, Proposed, Reported, Requeued
from maquette.store import LeaseLostError, LostJob, Store, new_owner
from maquette.testing.expect import expect, refused
from maquette.testing.store_steps import job_of, propose, running, told
from maquette.trial import State


def check_proposer(store: Store) -> None:
    """One proposer at a time; its basis is what it saw; a lost lease writes nothing."""
    study = store.create("a", {}).id
    store.append(study, told())
    one, two = new_owner(), new_owner()
    lease = store.acquire_proposer(study, one, 60.0)
    expect(lease is not None and lease.basis == 2, "the basis is not the last event")
    expect(store.acquire_proposer(study, two, 60.0) is None, "two owners may propose")
    if lease is None:
        return
    store.append(study, told())  # reports and results never wait for a proposer
    written: Any = store.propose(study, lease, [Proposed(-1, -1, {}), Proposed(-1, -1, {})])
    expect([e.body.basis for e in written] == [2, 2], "the basis was not kept")
    expect([e.body.trial for e in written] == [2, 3], "trials are not numbered in order")
    with refused(LeaseLostError, "a second use of a lease"):
        store.propose(study, lease, [Proposed(-1, -1, {})])
    other = store.acquire_proposer(study, two, 60.0)
    expect(other is not None and other.token > lease.token, "tokens do not grow")
    store.release_proposer(study, lease)  # lost: no error, and no harm to the new holder
    expect(store.acquire_proposer(study, one, 60.0) is None, "a lost lease was released")
    if other is not None:
        store.release_proposer(study, other)
    expect(store.acquire_proposer(study, one, 60.0) is not None, "the lease was not released")


def check_proposer_expiry(store: Store) -> None:
    """A proposer that computes for longer than its lease writes nothing."""
    study = store.create("a", {}).id
    slow = store.acquire_proposer(study, new_owner(), 0.02)
    time.sleep(0.05)
    before = store.read(study)
    if slow is not None:
        with refused(LeaseLostError, "an expired lease"):
            store.propose(study, slow, [Proposed(-1, -1, {})])
    quick = store.acquire_proposer(study, new_owner(), 60.0)
    expect(quick is not None, "an expired lease was not given on")
    if slow is not None:
        with refused(LeaseLostError, "a lease that was taken over"):
            store.propose(study, slow, [Proposed(-1, -1, {})])
    expect(store.read(study) == before == [], "an expired proposer wrote")


def check_start(store: Store) -> None:
    """A queued job is given to one owner, once."""
    study = store.create("a", {}).id
    job = job_of(propose(store, study)[0])
    given: list[Event | None] = []
    threads = [
        threading.Thread(target=lambda i=i: given.append(store.start(study, job, f"o{i}", None)))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(sum(event is not None for event in given) == 1, "a job was given more than once")
    expect(store.start(study, 99, "me", None) is None, "a job out of nothing")
    expect(len(store.read(study)) == 2, "an event was written for a job not given")


def check_start_all(store: Store) -> None:
    """Of many jobs those are given that are queued, in order, each with a token that is good."""
    study = store.create("a", {}).id
    jobs = [job_of(event) for event in propose(store, study, 5)]
    store.start(study, jobs[1], "other", None)
    given = store.start_all(study, [*jobs, 99], "me", None)
    bodies: list[Any] = [event.body for event in given]
    expect([b.job for b in bodies] == [0, 2, 3, 4], "not the queued jobs were given")
    expect({b.owner for b in bodies} == {"me"}, "a job was given to somebody else")
    expect(given == store.read(study, 6), "the events were not written")
    ends = [Ended(b.trial, b.job, State.DONE, {"loss": 1.0}) for b in bodies]
    store.record(study, {b.job: b.token for b in bodies}, ends)
    expect(store.start_all(study, jobs, "me", None) == [], "a job was given twice")
    expect(store.start_all(study, [], "me", None) == [], "a job out of nothing")


def check_fencing(store: Store) -> None:
    """A job that comes back from the dead cannot overwrite the one that replaced it."""
    study = store.create("a", {}).id
    trial, job, token = running(store, study, "first")
    store.record(study, {job: token}, [Reported(trial, job, 1.0, {"loss": 1.0})])
    store.record(study, {job: token}, [Requeued(trial, job, "lost")])
    zombie: list[list[Reported | Ended | Requeued]] = [
        [Reported(trial, job, 2.0, {"loss": 0.0})],
        [Ended(trial, job, State.DONE, {"loss": 0.0})],
        [Requeued(trial, job)],
    ]
    for replaced in (False, True, True):
        length = len(store.read(study))
        for bodies in zombie:
            with refused(LeaseLostError, f"a zombie's {bodies}"):
                store.record(study, {job: token}, bodies)
        expect(store.renew(study, {job: token}, 60.0) == (job,), "a zombie's lease was renewed")
        expect(len(store.read(study)) == length, "a zombie wrote")
        if not replaced:
            event: Any = store.start(study, job, "second", 60.0)
            expect(event.body.token > token, "tokens do not grow")
            second = event.body.token
    store.record(study, {job: second}, [Ended(trial, job, State.DONE, {"loss": 0.5})])
    with refused(LeaseLostError, "a second end"):
        store.record(study, {job: second}, [Ended(trial, job, State.DONE, {"loss": 0.4})])
    expect(store.start(study, job, "third", None) is None, "an ended job was given")


def check_record(store: Store) -> None:
    """Several jobs are recorded together or, if one lease is lost, not at all."""
    study = store.create("a", {}).id
    jobs = [running(store, study, "me") for _ in range(3)]
    tokens = {job: token for _, job, token in jobs}
    reports = [Reported(trial, job, 1.0, {"loss": 1.0}) for trial, job, _ in jobs]
    expect(len(store.record(study, tokens, reports)) == 3, "reports were not written")
    before = len(store.read(study))
    try:
        store.record(study, {**tokens, jobs[1][1]: 99}, reports)
    except LeaseLostError as error:
        expect(error.jobs == (jobs[1][1],), "the lost job is not named")
    else:
        raise AssertionError("a wrong token was taken")
    trial, job, token = jobs[0]
    wrong: list[list[Any]] = [
        [Reported(trial, 99, 1.0, {})],
        [Reported(trial + 1, job, 1.0, {})],
        [Proposed(-1, -1, {})],
        [Ended(trial, job, State.DONE), Reported(trial, job, 2.0, {})],
    ]
    for bodies in wrong:
        with refused(StoreError, repr(bodies)):
            store.record(study, {job: token}, bodies)
    expect(len(store.read(study)) == before, "something refused was written")


def check_lost(store: Store) -> None:
    """Jobs are lost when their lease expires or their owner has provably died; no others are."""
    study = store.create("a", {}).id
    program = "from maquette.store import new_owner; print(new_owner())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)  # noqa: S603
    dead = done.stdout.decode().strip()
    expired = running(store, study, new_owner(), 0.02)
    orphan = running(store, study, dead, None)
    running(store, study, new_owner(), None)
    running(store, study, "somebody elsewhere", 60.0)
    propose(store, study)
    time.sleep(0.05)
    lost = store.lost(study)
    expect([(j.trial, j.job, j.token) for j in lost] == [expired, orphan], f"lost are {lost}")
    expect(all(j.reason for j in lost), "no reason is given")
    for j in lost:
        store.record(study, {j.job: j.token}, [Requeued(j.trial, j.job, j.reason)])
    expect(store.lost(study) == [], "requeued jobs are still lost")
    again = [store.start(study, j.job, new_owner(), 60.0) for j in lost]
    expect(None not in again, "a requeued job was not given")
    held = store.acquire_proposer(study, dead, 60.0)
    other = store.acquire_proposer(study, new_owner(), 60.0)
    expect(held is not None and other is not None, "a dead proposer keeps its lease")


def check_adopt(store: Store) -> None:
    """A lost job that goes on is taken over once, with its reports; its old owner is out."""
    study = store.create("a", {}).id
    trial, job, token = running(store, study, "first", 0.02)
    held = running(store, study, "elsewhere", 60.0)
    store.record(study, {job: token}, [Reported(trial, job, 1.0, {"loss": 1.0})])
    time.sleep(0.05)
    (lost,) = store.lost(study)
    event: Any = store.adopt(study, lost, "second", 60.0)
    expect(event is not None and event.body.adopted, "a lost job was not given")
    expect(event.body.owner == "second" and event.body.token > token, "tokens do not grow")
    expect(event == store.read(study)[-1], "the event was not written")
    expect(store.lost(study) == [], "an adopted job is still lost")
    with refused(LeaseLostError, "the former owner's report"):
        store.record(study, {job: token}, [Reported(trial, job, 2.0, {"loss": 0.0})])
    before = store.read(study)
    expect(store.adopt(study, lost, "third", 60.0) is None, "a job was adopted twice")
    alive = LostJob(held[0], held[1], held[2], "a rumour")
    expect(store.adopt(study, alive, "third", 60.0) is None, "a job was taken from its owner")
    expect(store.read(study) == before, "an event was written for a job not given")
    store.record(study, {job: event.body.token}, [Ended(trial, job, State.DONE, {"loss": 0.5})])
    expect(store.adopt(study, lost, "third", 60.0) is None, "an ended job was adopted")


def check_renew(store: Store) -> None:
    """A renewed lease lasts, one that nobody took over can be renewed late."""
    study = store.create("a", {}).id
    _, job, token = running(store, study, new_owner(), 0.02)
    _, endless, forever = running(store, study, new_owner(), None)
    time.sleep(0.05)
    expect([j.job for j in store.lost(study)] == [job], "an expired lease is not lost")
    tokens = {job: token, endless: forever, 99: 1}
    expect(store.renew(study, tokens, 60.0) == (99,), "the wrong jobs were lost")
    expect(store.lost(study) == [], "a renewed lease is lost")
