"""Trials that nobody has looked at: the same history as one whose every trial was, at once."""

from __future__ import annotations

import numpy as np
import pytest

import maquette as mq
from maquette.events import Ended, Event, Proposed, Reported, Requeued, SpaceChanged
from maquette.history import History
from maquette.store import open_store
from maquette.study.spec import from_spec
from maquette.trial import State

SPACE = {
    "x": mq.Float(1e-3, 1.0, log=True),
    "kind": mq.Choice(["a", "b"]),
    "n": mq.Int(1, 9, when={"kind": "b"}),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A store with trials of every fate, asked for in batches, told out of order."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sealed')}/s.db"
    study = mq.Study("s", SPACE, store=url, searcher="random", objective="loss")
    for batch in range(8):
        trials = study.ask(40)
        for trial in reversed(trials[3:]):
            match trial.number % 9:
                case 0:
                    study.tell(trial, state="oom", seconds=2.0)
                case 1:
                    study.tell(trial, float("nan"))
                case 2:
                    trial.report(1, loss=5.0)
                    study.tell(trial, {"loss": 4.0, "extra": 1.0}, cost=3.0)
                case 3:
                    study.tell(trial, {"loss": 6.0}, state="stopped")
                case _:
                    study.tell(trial, trial["x"], seconds=float(batch))
        study.tell({"x": 0.5, "kind": "a"}, 7.0)
    study.store.close()
    store = open_store(url)
    yield store
    store.close()


def looked_at(problem, events):
    """A history in which every trial is looked at before the next event comes."""
    history = History(problem)
    for event in events:
        history.extend([event])
        if event.trial is not None:
            assert history.trials[event.trial].jobs[-1] is history.jobs[event.job]
    return history


def both(store):
    """The same events, folded into records and kept as text."""
    row = store.studies()[0]
    plain = looked_at(from_spec(row.spec), store.read(row.id))
    sealed = History(from_spec(row.spec), store.read(row.id))
    return plain, sealed


def same(plain, block):
    assert len(plain.trials) == len(block.trials)
    for a, b in zip(plain.trials, block.trials, strict=True):
        np.testing.assert_array_equal(a.row, b.row)
        np.testing.assert_array_equal(a.active, b.active)
        for name in ("number", "config", "state", "metrics", "cost", "seconds", "began"):
            assert getattr(a, name) == getattr(b, name), name
        for name in ("origin", "why", "message", "finished", "ended", "steps", "losses"):
            assert getattr(a, name) == getattr(b, name), name
        np.testing.assert_equal(a.loss, b.loss)
        assert a.jobs == b.jobs
    assert list(plain.jobs) == list(block.jobs)


def test_columns_and_totals_are_those_of_records(stored):
    plain, block = both(stored)
    assert block.trials.sealed(0)
    assert not plain.trials.sealed(0)
    for name in plain.finished.__slots__:
        np.testing.assert_array_equal(getattr(plain.finished, name), getattr(block.finished, name))
    assert block.counts() == plain.counts()
    assert (block.cost, block.seconds, block.last) == (plain.cost, plain.seconds, plain.last)
    assert block.elapsed() == plain.elapsed()
    assert [t.number for t in block.pending] == [t.number for t in plain.pending]
    assert block.rng().random() == plain.rng().random()


def test_records_are_the_same_later(stored):
    same(*both(stored))


def test_a_record_that_was_looked_at_first_changes_nothing(stored):
    plain, block = both(stored)
    assert block.jobs[30].trial == block.trials[30].number == 30
    assert block.trials[30] is block.trials[30]
    assert block.jobs[30] is block.trials[30].jobs[0]
    np.testing.assert_array_equal(plain.finished.X, block.finished.X)
    assert [t.number for t in block.trials[5:9]] == [5, 6, 7, 8]
    assert block.trials[-1].number == len(block.trials) - 1


def test_it_goes_on_in_a_wider_space(stored):
    plain, block = both(stored)
    wider = mq.Space({**SPACE, "y": mq.Float(0, 1, default=0.25)})
    for history in (plain, block):
        history.extend([Event(history.last + 1, 9e9, SpaceChanged(wider.to_json()))])
    assert block.trials[0].config["y"] == 0.25
    np.testing.assert_array_equal(plain.finished.X, block.finished.X)
    same(plain, block)


@pytest.mark.parametrize("cut", [11, 57, 200, 333])
def test_blocks_may_be_cut_anywhere_and_trials_looked_at_any_time(stored, cut):
    row = stored.studies()[0]
    plain, _ = both(stored)
    block, rng = History(from_spec(row.spec)), np.random.default_rng(cut)
    while events := stored.read(row.id, block.last, cut):
        assert len(events) <= cut
        block.extend(events if rng.random() < 0.5 else list(events))  # texts, and bodies
        for number in rng.integers(len(block.trials), size=3).tolist():
            assert block.trials[number].row.shape == (3,)
    same(plain, block)
    np.testing.assert_array_equal(plain.finished.X, block.finished.X)


def test_jobs_that_go_another_way_are_opened(tmp_path):
    study = mq.Study("s", {"x": mq.Float(0, 1)}, store=tmp_path / "s.db", searcher="random")
    a, b, c = (study.ask() for _ in range(3))
    store, token = study.store, study.history.jobs[b.job].token
    body = Reported(b.number, b.job, 1.0, {"loss": 2.0}, None, 4.0)
    store.record(1, {b.job: token}, [body, Requeued(b.number, b.job, "lost", alive=0.0)])
    store.append(1, [Ended(a.number, a.job, State.PAUSED, {"loss": 1.0})])
    store.append(1, [Proposed(a.number, -1, None), Ended(a.number, -1, State.DONE, {"loss": 0.5})])
    store.append(1, [Ended(c.number, c.job, State.CRASHED, alive=0.0, message="lost once")])
    plain, block = both(store)
    same(plain, block)
    assert block.counts() == plain.counts() == {"queued": 1, "done": 1, "crashed": 1}
    assert (block.cost, block.seconds) == (plain.cost, plain.seconds)
