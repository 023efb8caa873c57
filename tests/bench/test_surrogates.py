"""Surrogates fitted to real trainings, and what they got wrong on runs that they had not seen."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

import maquette as mq
from maquette.bench import catalogue, files, known, noise, trees
from maquette.bench.task import Task
from maquette.bench.tasks import autoresearch, regmix, yahpo
from maquette.simulate import simulate, virtual_store
from maquette.trial import State
from tests.services import needs


def test_trees_find_a_function_with_a_jump() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((2000, 3))
    y = np.where(X[:, 0] > 0.6, 2.0, 0.0) + np.sin(6 * X[:, 1])
    fitted = trees.fit(X, y, trees.Settings(trees=200, depth=4))
    fresh = rng.random((500, 3))
    truth = np.where(fresh[:, 0] > 0.6, 2.0, 0.0) + np.sin(6 * fresh[:, 1])
    assert np.abs(fitted(fresh) - truth).mean() < 0.05


def test_trees_separate_two_classes() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((2000, 2))
    y = (X.sum(axis=1) > 1).astype(float)
    fitted = trees.fit(X, y, trees.Settings(trees=100, depth=4, logistic=True))
    fresh = rng.random((500, 2))
    assert ((fitted(fresh) > 0) == (fresh.sum(axis=1) > 1)).mean() > 0.96


def test_noise_belongs_to_config_and_row() -> None:
    values = np.random.default_rng(0).random((20_000, 3))
    values[:, 2] = np.nan
    rows = np.arange(20_000)
    drawn = noise.normal(values, rows)
    assert np.array_equal(drawn[5:9], noise.normal(values[5:9], rows[5:9]))
    assert drawn.mean() == pytest.approx(0, abs=0.03)
    assert drawn.std() == pytest.approx(1, abs=0.02)
    others = [
        noise.normal(values, rows + 1),
        noise.normal(values[::-1], rows),
        noise.normal(values, rows, 1),
        noise.normal(values[:1].repeat(20_000, axis=0), rows),
    ]
    for other in others:
        assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.03


def test_a_long_search_finds_the_bottom() -> None:
    space = mq.Space({"x": mq.Float(0, 1), "n": mq.Int(0, 9), "c": mq.Choice(["a", "b"])})

    def losses(configs):
        return np.array(
            [(c["x"] - 0.3) ** 2 + (c["n"] - 7) ** 2 + (c["c"] == "b") for c in configs]
        )

    best = known.search(losses, space, rounds=10, size=200)
    assert 0 <= best.optimum < 1e-6
    assert 3 < best.median < 12


@pytest.mark.slow
@needs("data", "pyarrow")
def test_autoresearch_is_as_wrong_as_its_page_says() -> None:
    """Fitted to two seeds of all tuners, measured on the third."""
    given = autoresearch.trials()
    found = []
    for seed in range(3):
        seen = given.seed != seed
        parts = (given.features, given.loss, given.failed, given.seed)
        surrogate = autoresearch.Surrogate(autoresearch.Trials(*(part[seen] for part in parts)))
        loss, failed = surrogate(given.features[~seen])
        truth, broken = given.loss[~seen], given.failed[~seen]
        error = np.abs(loss - truth)[~broken]
        better = truth[~broken] < np.median(truth[~broken])
        rank = spearmanr(loss[~broken], truth[~broken]).statistic
        found.append([np.median(error), np.median(error[better]), rank, np.mean(failed == broken)])
    median, low, rank, memory = np.mean(found, axis=0)
    assert median == pytest.approx(0.0048, abs=0.0005)
    assert low == pytest.approx(0.0034, abs=0.0005)
    assert rank == pytest.approx(0.96, abs=0.01)
    assert memory == pytest.approx(0.995, abs=0.003)


@needs("data", "pyarrow")
def test_autoresearch_runs_out_of_memory_where_the_trials_did() -> None:
    task = catalogue.load("autoresearch/nanochat")
    small = task.space.defaults()
    large = {**small, "DEPTH": 24, "ASPECT_RATIO": 128, "DEVICE_BATCH_SIZE": 3}
    measured = task.measure([small, large], [0, 0])
    assert measured.states.tolist() == [State.DONE, State.OOM]
    assert measured.ended.tolist() == [300.0, 3.2 + 1.7 * 24]
    assert task.losses([small])[0] == pytest.approx(0.992, abs=0.002)  # 44 trials: 0.9917
    draws = task.losses([small] * 400, range(400))
    assert 1e-4 < draws.std() < 1e-3

    study = mq.Study("s", task.space, store=virtual_store(), searcher="random", **task.settings)
    done = simulate(study, task.replay, 40, workers=2)
    counts = study.history.counts()
    assert counts["oom"] > 10
    assert counts["done"] > 5
    assert done.seconds * 2 >= 300 * counts["done"]


@needs("data")
def test_regmix_predicts_mixtures_that_it_has_not_seen() -> None:
    shares, losses = regmix.runs("train", "1m")
    fresh, truth = regmix.runs("test", "1m")
    predicted = regmix.spline(shares, losses)(fresh)
    assert np.sqrt(np.mean((predicted - truth) ** 2)) == pytest.approx(0.048, abs=0.002)
    assert spearmanr(predicted, truth).statistic == pytest.approx(0.991, abs=0.002)


@needs("data")
def test_regmix_takes_weights_as_shares() -> None:
    task = catalogue.load("regmix/60m")
    shares, losses = regmix.runs("test", "60m")
    weights = np.maximum(shares / shares.max(axis=1, keepdims=True), 1e-3)
    configs = [dict(zip(regmix.DOMAINS, w.tolist(), strict=True)) for w in weights]
    assert np.corrcoef(task.losses(configs), losses)[0, 1] > 0.99
    doubled = [{k: v / 2 for k, v in c.items()} for c in configs if min(c.values()) > 2e-3]
    assert task.losses(doubled) == pytest.approx(
        task.losses([c for c in configs if min(c.values()) > 2e-3])
    )


@needs("data")
def test_regmix_and_step_law_know_their_cells() -> None:
    mixture, law = catalogue.load("regmix/transfer"), catalogue.load("steplaw/transfer")
    config = mixture.space.defaults()
    by_size = [mixture.losses([config], scale={"params": p})[0] for p in (1e6, 6e7, 1e9)]
    assert by_size == sorted(by_size, reverse=True)
    assert mixture.losses([config])[0] == by_size[-1]
    assert law.losses([law.space.defaults()], scale={"N": 214663680, "D": 4e9})[0] > 2.6
    with pytest.raises(mq.MaquetteError, match="no cell N=1e"):
        law.losses([law.space.defaults()], scale={"N": 1e9, "D": 4e9})


def brute(space: mq.Space, task: Task) -> float:
    return float(np.nanmin(task.losses(space.sample(np.random.default_rng(3), 3000))))


@needs("data", "pyarrow")
@pytest.mark.parametrize("name", ["autoresearch/nanochat", "regmix/1m", "regmix/60m", "regmix/1b"])
def test_the_best_seen_is_hard_to_beat(name: str) -> None:
    task = catalogue.load(name)
    assert brute(task.space, task) > task.optimum
    assert task.median > task.optimum


@needs("data", "onnxruntime")
def test_yahpo_inputs_are_in_the_network_s_order() -> None:
    """In another order these would not follow from one another."""
    task = catalogue.load("yahpo/lcbench-3945")
    config = task.space.defaults()
    longer = task.measure([config])
    assert longer.steps[-1] == 52
    assert (np.diff(longer.seconds[0]) >= 0).all()
    assert longer.metrics["val_accuracy"][0, -1] > longer.metrics["val_accuracy"][0, 0]
    drawn = task.space.sample(np.random.default_rng(0), 200)

    def seconds(**setting) -> float:
        return task.measure([{**c, **setting} for c in drawn]).ended.mean()

    assert seconds(batch_size=512) < 0.8 * seconds(batch_size=16)
    assert seconds(max_units=1024) > 2 * seconds(max_units=64)
    assert seconds(num_layers=5) > 2 * seconds(num_layers=1)

    boosted = catalogue.load("yahpo/xgboost-40983")
    tree = {**boosted.space.defaults(), "booster": "gbtree"}
    tree = boosted.space.fill({k: v for k, v in tree.items() if k in ("booster", "lambda")})
    rounds = boosted.measure([{**tree, "nrounds": n} for n in (7, 2981)])
    assert np.diff(rounds.metrics["timetrain"][:, 0])[0] > 1
    assert np.diff(rounds.metrics["acc"][:, 0])[0] > 0
    regular = boosted.measure([{**tree, "alpha": a} for a in (0.001, 1000.0)])
    assert np.diff(regular.metrics["auc"][:, 0])[0] < -0.1


@needs("data", "onnxruntime")
def test_yahpo_replicates_are_rows() -> None:
    task = catalogue.load("yahpo/xgboost-40983")
    config = task.space.defaults()
    each = task.losses([config] * 10, range(10))
    assert each.std() > 0
    assert task.losses([config])[0] == pytest.approx(each.mean())
    assert task.losses([config], [13])[0] == each[3]


@needs("data")
def test_yahpo_names_the_data_sets_that_there_are() -> None:
    for name, key in (("lcbench", "OpenML_task_id"), ("rbv2_xgboost", "task_id")):
        text = (files.folder() / f"yahpo/{name}/config_space.json").read_text()
        (row,) = [h for h in json.loads(text)["hyperparameters"] if h["name"] == key]
        prefix = name.removeprefix("rbv2_")
        ids = [t.partition("-")[2] for t in yahpo.FAMILY.tasks if t.startswith(f"{prefix}-")]
        assert sorted(ids) == sorted(row["choices"])
