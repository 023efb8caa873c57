"""Functions with a known optimum: IOHprofiler's, COCO's, and those made up to be hard."""

from __future__ import annotations

import math

import numpy as np
import pytest

import maquette as mq
from maquette.bench import catalogue
from maquette.bench.tasks import coco, ioh, synthetic
from maquette.simulate import simulate, virtual_store
from maquette.trial import State
from tests.services import needs

HARTMANN = {
    "x1": 0.20169,
    "x2": 0.150011,
    "x3": 0.476874,
    "x4": 0.275332,
    "x5": 0.311652,
    "x6": 0.6573,
}
SYNTHETIC = synthetic.FAMILY.names


def draws(task, n=2000):
    return task.space.sample(np.random.default_rng(5), n)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_regret_is_none_at_the_optimum_and_one_in_the_middle(name: str) -> None:
    regret = catalogue.load(name).regret(draws(catalogue.load(name)))
    assert np.nanmin(regret) >= 0
    assert np.nanmean(regret < 1) == pytest.approx(0.5 * (1 - np.isnan(regret).mean()), abs=0.05)


@pytest.mark.parametrize("name", ["constrained", "known-constraint", "noisy", "slow-tail"])
def test_hartmann_has_its_minimum_where_it_should(name: str) -> None:
    task = catalogue.load(f"synthetic/{name}")
    assert task.regret([HARTMANN])[0] == pytest.approx(0, abs=1e-6)


def test_branin_and_the_made_up_training_have_theirs() -> None:
    uneven, run = (catalogue.load(f"synthetic/{n}") for n in ("uneven-noise", "conditional"))
    assert uneven.regret([{"x": math.pi, "y": 2.275}])[0] == pytest.approx(0, abs=1e-9)
    best = {"lr": 1e-2, "optimizer": "muon", "iterations": 5, "layers": 5, "width": 90}
    assert run.regret([best])[0] == pytest.approx(0, abs=1e-9)
    worse = {"lr": 10**-1.3, "optimizer": "sgd", "momentum": 0.8, "layers": 5, "width": 90}
    assert run.losses([worse])[0] == pytest.approx(0.7)


def test_a_broken_constraint_is_no_result() -> None:
    task = catalogue.load("synthetic/constrained")
    assert np.isnan(task.losses([dict.fromkeys(HARTMANN, 0.9)]))[0]
    assert task.measure([dict.fromkeys(HARTMANN, 0.9)]).metrics["squares"][0, 0] > 0.9


def test_noise_is_as_large_as_it_says() -> None:
    task = catalogue.load("synthetic/uneven-noise")
    for x, spread in ((-5.0, 1.0), (10.0, 10.0)):
        losses = task.losses([{"x": x, "y": 3.0}] * 2000, range(2000))
        assert losses.std() == pytest.approx(spread, rel=0.1)
        assert losses.mean() == pytest.approx(task.losses([{"x": x, "y": 3.0}])[0], abs=spread / 10)


def test_running_times_have_heavy_tails() -> None:
    task = catalogue.load("synthetic/slow-tail")
    seconds = task.measure([HARTMANN] * 5000, range(5000)).ended
    assert np.median(seconds) == pytest.approx(60, rel=0.15)
    assert seconds.mean() > 4 * np.median(seconds)


def test_a_solver_is_tuned_and_judged_on_other_instances() -> None:
    task = catalogue.load("synthetic/heavy-tail")
    assert task.instances is not None
    assert not set(task.instances.tune) & set(task.instances.test)
    config = task.space.defaults()
    measured = task.measure([config] * 10, task.instances.tune)
    late = measured.states == State.TIMEOUT
    assert np.array_equal(late, np.isnan(measured.metrics["runtime"][:, 0]))
    study = mq.Study("s", task.space, store=virtual_store(), searcher="random", **task.settings)
    simulate(study, task.replay, 20, workers=3)
    counts = study.history.counts()
    assert counts["timeout"] > 0
    assert counts["done"] > 0


def test_the_expected_running_time_is_that_of_many_draws() -> None:
    level = np.array([2.0, 5.5])
    drawn = np.exp(level + np.random.default_rng(0).standard_normal((400_000, 2)))
    counted = np.where(drawn > 600, 6000, drawn).mean(axis=0)
    assert synthetic._expected(level) == pytest.approx(counted, rel=0.02)


@needs("ioh")
@pytest.mark.parametrize("task", ["bbob-1-d2-i1", "bbob-15-d5-i2", "bbob-24-d10-i3"])
def test_bbob_is_never_below_its_optimum(task: str) -> None:
    loaded = catalogue.load(f"ioh/{task}")
    regret = loaded.regret(draws(loaded, 500))
    assert regret.min() >= 0
    assert np.mean(regret < 1) == pytest.approx(0.5, abs=0.08)


@needs("ioh")
def test_one_max_counts_bits() -> None:
    task = catalogue.load("ioh/pbo-1-d16")
    ones = {f"x{k}": 1 for k in range(1, 17)}
    assert task.losses([ones, {**ones, "x3": 0}]).tolist() == [-16.0, -15.0]
    assert task.regret([ones])[0] == 0
    assert len(ioh.FAMILY.names) == len(set(ioh.FAMILY.names))


@needs("cocoex", "ioh")
def test_coco_and_ioh_agree_on_a_sphere() -> None:
    """bbob-mixint's last fifth is bbob's own; its whole numbers are spread over bbob's range."""
    mixed, real = catalogue.load("coco/mixint-1-d5-i1"), catalogue.load("ioh/bbob-1-d5-i1")
    assert mixed.optimum == pytest.approx(real.optimum)
    regret = mixed.regret(draws(mixed))
    assert regret.min() >= 0
    assert [type(p).__name__ for p in mixed.space.values()] == ["Int"] * 4 + ["Float"]


@needs("cocoex")
@pytest.mark.parametrize("task", [coco.FAMILY.tasks[0], "constrained-1-d2-i1"])
def test_coco_is_never_below_its_optimum(task: str) -> None:
    loaded = catalogue.load(f"coco/{task}")
    regret = loaded.regret(draws(loaded))
    assert np.nanmin(regret) >= 0
    if task.startswith("constrained"):
        assert 0 < np.isnan(regret).mean() < 1


@needs("cocoex")
def test_constraints_hold_at_the_optimum() -> None:
    import cocoex

    task = catalogue.load("coco/constrained-3-d5-i1")
    where = "dimensions:5 function_indices:3 instance_indices:1"
    suite = cocoex.Suite("bbob-constrained", "", where)
    best = dict(zip(task.space, coco._optimum(suite[0]).tolist(), strict=True))
    assert task.regret([best])[0] == pytest.approx(0, abs=1e-9)
