"""A database and memory, given the same acts in any order, hold the same events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maquette.errors import StoreError
from maquette.events import BudgetChanged, Ended, Proposed, Reported, Requeued
from maquette.store import MemoryStore, ProposerLease, Store, open_store
from maquette.testing.store_steps import told
from maquette.trial import State

SMALL = st.integers(-1, 4)
ACTS = st.one_of(
    st.tuples(st.just("tell")),
    st.tuples(st.just("budget"), SMALL),
    st.tuples(st.just("append"), SMALL, SMALL),
    st.tuples(st.just("acquire"), st.sampled_from("ab")),
    st.tuples(st.just("propose"), SMALL, st.integers(0, 3)),
    st.tuples(st.just("release"), SMALL),
    st.tuples(st.just("start"), SMALL, st.sampled_from("ab")),
    st.tuples(st.just("report"), SMALL, st.integers(1, 3)),
    st.tuples(st.just("end"), SMALL, st.integers(1, 3)),
    st.tuples(st.just("requeue"), SMALL, st.integers(1, 3)),
    st.tuples(st.just("renew"), SMALL, st.integers(1, 3)),
)


def _act(store: Store, study: int, held: list[ProposerLease], act: tuple[Any, ...]) -> Any:
    name, *rest = act
    match name:
        case "tell":
            return store.append(study, told())
        case "budget":
            return store.append(study, [BudgetChanged(trials=rest[0])])
        case "append":
            body = Ended(rest[0], rest[1], State.DONE)
            return store.append(study, [Proposed(-1, -1, {}), Reported(-1, -1, 1.0, {}), body])
        case "acquire":
            lease = store.acquire_proposer(study, rest[0], 3600.0)
            if lease is not None:
                held.append(lease)
            return lease
        case "propose" if held:
            config = {} if rest[0] == -1 else None
            return store.propose(study, held[-1], [Proposed(rest[0], -1, config)] * rest[1])
        case "release" if held:
            return store.release_proposer(study, held[max(rest[0], 0) % len(held)])
        case "start":
            return store.start(study, rest[0], rest[1], None)
        case "report" | "end" | "requeue":
            bodies = {
                "report": Reported(rest[0], rest[0], 1.0, {"loss": 1.0}),
                "end": Ended(rest[0], rest[0], State.PAUSED),
                "requeue": Requeued(rest[0], rest[0]),
            }
            return store.record(study, {rest[0]: rest[1]}, [bodies[name]])
        case "renew":
            return store.renew(study, {rest[0]: rest[1]}, 60.0)
    return None


def _outcome(store: Store, study: int, held: list[ProposerLease], act: tuple[Any, ...]) -> str:
    try:
        given = _act(store, study, held, act)
    except StoreError as error:
        return f"{type(error).__name__}: {error}"
    if isinstance(given, list):
        return repr([(event.number, event.body) for event in given])
    return repr(getattr(given, "body", given))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(acts=st.lists(ACTS, max_size=25))
def test_the_same_acts_give_the_same_events(database: Store, acts: list[Any]) -> None:
    memory = MemoryStore()
    name = f"study {len(database.studies())}"
    ours, theirs = memory.create(name, {}).id, database.create(name, {}).id
    held: tuple[list[ProposerLease], list[ProposerLease]] = ([], [])
    for act in acts:
        expected = _outcome(memory, ours, held[0], act)
        assert _outcome(database, theirs, held[1], act) == expected
    kept = [(event.number, event.body) for event in memory.read(ours)]
    assert [(event.number, event.body) for event in database.read(theirs)] == kept
    assert [number for number, _ in kept] == list(range(1, len(kept) + 1))
    assert memory.lost(ours) == database.lost(theirs) == []


def test_memory_keeps_time_by_the_clock_it_is_given(tmp_path: Path) -> None:
    now = [100.0]
    store = MemoryStore(clock=lambda: now[0])
    study = store.create("a", {}).id
    assert [event.time for event in store.append(study, told())] == [100.0, 100.0]
    lease = store.acquire_proposer(study, "a", 10.0)
    now[0] = 111.0
    assert lease is not None
    assert store.acquire_proposer(study, "b", 10.0) is not None
    assert open_store(None).url == "memory"
