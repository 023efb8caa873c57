"""Trainings that run here and now, each in about a second."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import maquette as mq
from maquette.bench import catalogue
from maquette.bench.live import cartpole, models
from maquette.bench.tasks import live
from maquette.simulate import simulate, virtual_store
from tests.services import needs


def test_tuning_and_test_seeds_are_kept_apart() -> None:
    assert set(live._TUNE).isdisjoint(live._TEST)
    assert set(models.SPACES) < set(live.FAMILY.tasks)


@needs("sklearn")
@pytest.mark.parametrize("name", ["cancer-svm", "wine-forest"])
def test_a_model_is_trained(name: str) -> None:
    task = catalogue.load(f"live/{name}")
    config = task.space.defaults()
    if "n_estimators" in config:
        config["n_estimators"] = 5
    measured = task.measure([config] * 2, [0, 1])
    again = task.measure([config], [0])
    assert measured.metrics["error"][0] == again.metrics["error"][0]
    assert (measured.metrics["error"] < 0.5).all()
    assert (measured.seconds > 0).all()
    each = task.losses([config] * 5, list(live._TEST))
    assert task.losses([config])[0] == pytest.approx(each.mean())


@needs("sklearn")
def test_a_network_learns_epoch_by_epoch() -> None:
    task = catalogue.load("live/digits-mlp")
    config = {**task.space.defaults(), "width": 16, "batch_size": 64, "layers": 1}
    study = mq.Study("s", task.space, store=virtual_store(), searcher="random", **task.settings)
    trial = study.ask()
    reports = list(task.replay(mq.Trial(0, config, trial_fidelity(trial))))
    assert [r.step for r in reports] == list(range(1, models.EPOCHS + 1))
    assert reports[-1].metrics["error"] < reports[0].metrics["error"]
    assert all(a.seconds <= b.seconds for a, b in pairwise(reports))


def trial_fidelity(trial: mq.Trial) -> object:
    from maquette.fidelity import Fidelity

    return Fidelity(until=trial.until, instance=trial.instance)


@needs("gymnasium")
def test_a_policy_is_learned() -> None:
    config = {"lr": 0.3, "gamma": 0.99, "episodes": 2, "entropy": 1e-3, "baseline": True}
    *_, (update, metrics, seconds) = cartpole.train(config, 0)
    assert update == cartpole.UPDATES
    assert 8 <= metrics["steps"] <= 500
    assert seconds > 0
    assert [m for _, m, _ in cartpole.train(config, 1)] == [
        m for _, m, _ in cartpole.train(config, 1)
    ]


@pytest.mark.slow
@needs("torch")
def test_a_small_language_model_is_trained() -> None:
    task = catalogue.load("live/char-transformer")
    config = {"lr": 3e-3, "weight_decay": 0.1, "init_scale": 1.0, "batch": 32}
    assert 1.5 < task.losses([config], [0])[0] < 4.0


@needs("sklearn")
def test_a_study_runs_it() -> None:
    task = catalogue.load("live/cancer-svm")
    study = mq.Study("s", task.space, store=virtual_store(), searcher="random", **task.settings)
    done = simulate(study, task.replay, 2, workers=2)
    assert done.seconds > 0
    assert np.isfinite([t.loss for t in study.history.trials if t.loss is not None]).any()
