"""Writes that fail for a while, and for good."""

import logging
import random
from dataclasses import replace

import pytest

import maquette as mq
from maquette.errors import StoreError, StoreUnavailableError
from maquette.executor import open_executor
from maquette.store import MemoryStore
from maquette.study.patient import patiently
from maquette.study.settings import Settings
from tests.study import programs


class Flaky:
    def __init__(self, failures, error=StoreUnavailableError):
        self.left, self.error, self.calls = failures, error, 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.left:
            raise self.error("the disk is full")
        return "written"


def test_a_store_that_mends_itself_is_waited_for_and_said_once(caplog):
    write = Flaky(3)
    with caplog.at_level(logging.WARNING, logger="maquette"):
        assert patiently(write) == "written"
    assert write.calls == 4
    assert [r.getMessage() for r in caplog.records] == ["the disk is full; trying again for 60 s"]


def test_a_store_that_stays_unavailable_raises_in_the_end():
    with pytest.raises(StoreUnavailableError):
        patiently(Flaky(10**6), patience=0.3)


def test_what_waiting_cannot_mend_is_raised_at_once():
    write = Flaky(1, StoreError)
    with pytest.raises(StoreError):
        patiently(write)
    assert write.calls == 1


class Cut:
    """A store whose connection is cut at random."""

    CALLS = ("acquire_proposer", "lost", "propose", "read", "record", "release_proposer", "start")

    def __init__(self, seed):
        self.store, self.draw, self.cuts, self.begun = MemoryStore(), random.Random(seed), 0, False

    def __getattr__(self, name):
        call = getattr(self.store, name)
        if name not in self.CALLS:
            return call

        def cut(*arguments):
            self.begun = self.begun or name == "acquire_proposer"  # the driver's first call
            moment = self.draw.random() if self.begun else 1.0
            if moment > 0.2:
                return call(*arguments)
            self.cuts += 1
            raise StoreUnavailableError("the connection was cut")

        return cut


def bodies(store=None):
    study = mq.Study(
        "s",
        {"x": mq.Float(0.0, 1.0)},
        programs.curve,
        store=store,
        searcher="random",
        scheduler="asha",
        fidelity={"steps": (1, 9)},
    )
    settings = Settings(mq.Budget(trials=25))
    study.drive(open_executor("inline", programs.curve), settings, "owner", 1, inline=True)
    events = (store.store if isinstance(store, Cut) else study.store).read(1)
    return [replace(e.body, seconds=0.0) if hasattr(e.body, "seconds") else e.body for e in events]


@pytest.mark.parametrize("seed", range(4))
def test_a_connection_that_is_cut_anywhere_changes_no_event(seed, monkeypatch):
    monkeypatch.setattr("maquette.study.patient.time.sleep", lambda seconds: None)
    store = Cut(seed)
    assert bodies(store) == bodies()
    assert store.cuts > 50
