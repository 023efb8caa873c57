"""Spaces that grow, and shrink when that is asked for."""

import numpy as np
import pytest

import maquette as mq
from maquette.errors import StudyError
from maquette.events import SpaceChanged
from maquette.testing.problems import NARROW, SMALL, WIDE, WIDER, problem
from maquette.testing.script import Script
from maquette.trial import State


def fn(trial):
    return (np.log10(trial["lr"]) + 2) ** 2 + (0.5 if trial["optimizer"] == "sgd" else 0.0)


def study(tmp_path, space, **options):
    options.setdefault("searcher", "gp")
    return mq.Study("s", space, fn, store=f"sqlite:///{tmp_path}/s.db", **options)


def test_a_space_grows_and_shrinks_and_every_trial_stays_evidence(tmp_path):
    study(tmp_path, SMALL).run(8)
    study(tmp_path, WIDE).run(20)
    with pytest.raises(StudyError, match="narrower") as refused:
        study(tmp_path, NARROW)
    assert "narrow=True" in refused.value.hint
    small = study(tmp_path, NARROW, narrow=True)
    small.run(30)
    for trial in small.trials[20:]:
        NARROW.check(trial.config)
    assert any(t.outside for t in small.trials[:20])
    assert not any(t.outside for t in small.trials[20:])
    assert len(small.history.finished) == 30
    assert not small.trials[small.best().trial].outside
    study(tmp_path, WIDER).run(34)
    seen = mq.Study.load("s", f"sqlite:///{tmp_path}/s.db")
    versions = seen.history.versions
    assert [v.number for v in versions] == [1, 2, 3, 4]
    assert [v.space for v in versions] == [SMALL, WIDE, NARROW, WIDER]
    assert versions[0].changes == ()
    assert "optimizer: choice muon added" in versions[1].changes
    assert any("dropout: removed" in c for c in versions[2].changes)
    assert (
        seen.trials[0].config["layers"] == 4
    )  # the default at which trials stand that came before


def test_evidence_keeps_its_distances_whatever_the_version():
    script = Script(problem(WIDE))
    rng = np.random.default_rng(0)
    for config in WIDE.sample(rng, 20):
        script.try_config(config, loss=1.0)
    before = script.history.finished.X.copy()
    script.write(SpaceChanged(NARROW.to_json()))
    after = script.history
    assert after.space == NARROW
    np.testing.assert_allclose(after.finished.X, before, atol=1e-12)
    outside = [not NARROW.admits(t.config) or t.config["dropout"] != 0.1 for t in after.trials]
    assert sum(outside) >= 18


def test_rows_are_carried_from_one_version_to_another_and_back():
    domain = WIDE.hull(NARROW)
    rng = np.random.default_rng(1)
    configs = NARROW.sample(rng, 50)
    rows, _ = NARROW.encode_many(configs)
    carried, active = domain.carry(NARROW, rows)
    direct, mask = domain.encode_many([domain.fill(c) for c in configs])
    np.testing.assert_allclose(carried, direct, atol=1e-12)
    assert (active == mask).all()
    back, _ = NARROW.carry(domain, carried)
    np.testing.assert_allclose(back, rows, atol=1e-9)


@pytest.mark.parametrize(
    ("space", "word"),
    [
        ({"lr": mq.Choice([0.1]), "optimizer": mq.Choice(["adamw"])}, "cannot become"),
        ({"lr": mq.Float(1e-3, 1e-2, log=True)}, "no default"),
        (
            {
                "lr": mq.Float(1e-3, 1e-2, when={"optimizer": "sgd"}),
                "optimizer": mq.Choice(["adamw", "sgd"]),
            },
            "condition",
        ),
    ],
)
def test_what_no_space_can_hold_is_refused_with_the_reason(tmp_path, space, word):
    study(tmp_path, SMALL, searcher="random").run(3)
    with pytest.raises(StudyError, match=word):
        study(tmp_path, space, narrow=True)


def test_what_waits_outside_a_narrowed_space_is_not_run(tmp_path):
    s = mq.Study("s", {"x": mq.Float(0.0, 1.0)}, searcher="random")
    trials = s.ask(4)
    queued = s._asktell()._propose(4, needed=True)
    assert len(queued) == 4
    s.narrow({"x": mq.Float(0.0, 1e-6)})
    for trial in trials:
        s.tell(trial, 1.0)
    assert s.history.counts() == {"done": 4, "interrupted": 4}
    assert all(t.outside for t in s.trials)
    assert s.ask()["x"] <= 1e-6


def test_a_paused_trial_outside_is_not_promoted(tmp_path):
    s = mq.Study(
        "s",
        {"x": mq.Float(0.0, 1.0)},
        searcher="random",
        scheduler=mq.schedule.ASHA(eta=2, mode="promote"),
        fidelity={"steps": (1, 4)},
    )
    for trial in s.ask(6):
        s.tell(trial, trial["x"])
    worst = max(t.config["x"] for t in s.trials)
    s.narrow({"x": mq.Float(worst - 1e-9, worst)})
    for trial in s.ask(4):
        assert trial["x"] >= worst - 1e-9
    assert sum(t.state is State.PAUSED for t in s.trials) >= 5
