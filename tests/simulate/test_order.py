"""Simulated time: events come in the order that the costs dictate, and in no other."""

from __future__ import annotations

import time

import pytest

import maquette as mq
from maquette.simulate import End
from maquette.trial import Report, State
from tests.simulate.replays import a_study, curves_study, epochs, lasting, log, run, written


def test_two_workers_with_ties_by_hand():
    """At 2 s both workers are done: worker 0 ends its trial and starts another, then worker 1."""
    study, done = run(lasting(2.0, 1.0, 1.0, 3.0, 1.0), 5, 2)
    assert log(study) == [
        (0.0, "proposed", 0),
        (0.0, "proposed", 1),
        (0.0, "started", 0),
        (0.0, "started", 1),
        (1.0, "ended", 1),
        (1.0, "proposed", 2),
        (1.0, "started", 2),
        (2.0, "ended", 0),
        (2.0, "proposed", 3),
        (2.0, "started", 3),
        (2.0, "ended", 2),
        (2.0, "proposed", 4),
        (2.0, "started", 4),
        (3.0, "ended", 4),
        (5.0, "ended", 3),
    ]
    assert done.seconds == 5.0
    assert done.idle == 0.0


def test_three_workers_that_always_tie_take_turns_by_number():
    study, _ = run(lasting(1.0), 9, 3)
    ends = log(study, "ended")
    assert ends == [(float(1 + k // 3), "ended", k) for k in range(9)]


def test_the_worker_decides_a_tie_not_the_trial():
    """Trial 1 is on worker 1 until 3 s, trial 2 on worker 0 until then: trial 2 ends first."""
    study, _ = run(lasting(1.0, 3.0, 2.0), 3, 2)
    assert log(study, "ended") == [(1.0, "ended", 0), (3.0, "ended", 2), (3.0, "ended", 1)]


def test_reports_of_two_workers_interleave():
    def objective(trial):
        pace = 2.0 if trial.number else 3.0
        for k in (1, 2, 3):
            yield Report(k, {"loss": 1.0 / k}, None, pace * k)
        yield End(0.25, 10.0)

    study, _ = run(objective, 2, 2)
    assert log(study, "reported", "ended") == [
        (2.0, "reported", 1),
        (3.0, "reported", 0),
        (4.0, "reported", 1),
        (6.0, "reported", 0),  # both at 6 s: worker 0 first
        (6.0, "reported", 1),
        (9.0, "reported", 0),
        (10.0, "ended", 0),
        (10.0, "ended", 1),
    ]
    assert [t.loss for t in study.trials] == [0.25, 0.25]
    assert [t.seconds for t in study.trials] == [10.0, 10.0]


def test_a_batch_starts_when_all_of_the_last_one_have_ended():
    how = {"synchronous": True}
    study, done = run(lasting(3.0, 1.0, 2.0), 7, 3, how=how)
    assert log(study, "started") == [
        *((0.0, "started", k) for k in range(3)),
        *((3.0, "started", k) for k in range(3, 6)),
        (6.0, "started", 6),
    ]
    assert [t for _, _, t in log(study, "ended")] == [1, 2, 0, 4, 5, 3, 6]
    assert done.idle == (2 + 1) * 2
    bases = [e.body.basis for e in study.store.read(1) if e.kind == "proposed"]
    assert len(set(bases)) == 3


def test_thinking_holds_up_the_worker_and_no_other():
    """A proposal takes 1 s, one at a time: worker 1 waits for two of them."""
    study, done = run(lasting(2.0), 4, 2, how={"thinking": 1.0})
    assert log(study, "ended") == [
        (3.0, "ended", 0),
        (4.0, "ended", 1),
        (6.0, "ended", 2),
        (7.0, "ended", 3),
    ]
    seen = []

    def thinking(history):
        seen.append(len(history.finished))
        return 10.0 * len(history.finished)

    study, done = run(lasting(2.0), 3, 1, how={"thinking": thinking})
    assert seen == [0, 1, 2]
    assert done.seconds == 2.0 + (10.0 + 2.0) + (20.0 + 2.0)


@pytest.mark.parametrize("searcher", ["random", "sobol", "auto"])
@pytest.mark.parametrize("scheduler", ["full", mq.schedule.ASHA(mode="promote")], ids=str)
@pytest.mark.parametrize("workers", [1, 5])
def test_the_same_seed_writes_the_same_bytes(searcher, scheduler, workers):
    def once():
        options = {"searcher": searcher, "scheduler": scheduler, "fidelity": {"t": (1, 9)}}
        return run(epochs, 12, workers, study=curves_study(**options))

    (one, first), (two, second) = once(), once()
    assert written(one) == written(two)
    assert first == second


def test_another_seed_writes_others():
    one, _ = run(lasting(1.0), 3, seed=1)
    two, _ = run(lasting(1.0), 3, seed=2)
    assert [t.config for t in one.trials] != [t.config for t in two.trials]


def test_no_real_time_passes_and_none_is_looked_at(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    study, done = run(lasting(1e9), 20, 3)
    assert not slept
    assert done.seconds == 7e9
    assert study.history.elapsed() == 7e9


@pytest.mark.parametrize(
    "scheduler", ["full", mq.schedule.ASHA(), mq.schedule.ASHA(mode="promote")]
)
@pytest.mark.parametrize("searcher", ["random", "auto"])
def test_one_worker_does_what_the_inline_executor_does(tmp_path, searcher, scheduler):
    """The same proposals, decisions and results; only times and the owner's name differ."""

    def fn(trial):
        for report in epochs(trial):
            with trial.checkpoint(report.step) as folder:  # a virtual trial goes on where it was
                (folder / "epoch").write_text(str(report.step))
            if not trial.report(report.step, **report.metrics):
                return None
        return dict(report.metrics)

    options = {"scheduler": scheduler, "searcher": searcher, "fidelity": {"t": (1, 9)}, "seed": 3}
    simulated, _ = run(epochs, 15, study=curves_study(**options))
    space = simulated.space
    real = mq.Study("real", space, fn, **options)
    real.run(15, folder=tmp_path)

    def story(study):
        rows = []
        for event in study.store.read(1):
            body = event.body
            row = {n: getattr(body, n) for n in body.__slots__}
            rows.append((event.number, event.kind, {**row, "seconds": 0, "owner": ""}))
        return rows

    assert story(simulated) == story(real)


@pytest.mark.parametrize("workers", [1, 4, 25])
@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_no_worker_of_asha_ever_waits(mode, workers):
    study = curves_study(scheduler=mq.schedule.ASHA(mode=mode))
    _, done = run(epochs, {"cost": 600}, workers, study=study)
    assert done.idle == 0.0
    assert study.history.cost >= 600


def test_many_workers_have_many_trials_under_way():
    study, _ = run(lasting(1.0, 2.0, 3.0), 40, 25)
    started = log(study, "started")
    assert [row[2] for row in started if row[0] == 0.0] == list(range(25))


def test_a_study_goes_on_where_it_stood():
    whole, _ = run(lasting(1.0, 2.5), 10, 1)
    study = a_study()
    for budget in (3, 7, 10):
        run(lasting(1.0, 2.5), budget, 1, study=study)
    assert log(study) == log(whole)
    assert [t.config for t in study.trials] == [t.config for t in whole.trials]
    assert study.history.counts() == {State.DONE: 10}
