"""Loaders of other benchmarks' files, each from a small file of the same form."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

import maquette as mq
from maquette.bench.loaders import carps, hpob, jahs, lcbench, pd1, pool, tabrepo
from maquette.errors import BenchmarkError
from maquette.simulate import simulate, virtual_store
from maquette.trial import State

RNG = np.random.default_rng(0)


def lcbench_file(folder: Path) -> Path:
    def run(k: int) -> dict:
        accuracy = [50.0 + k + epoch for epoch in range(6)]
        return {
            "config": {
                "batch_size": 16 * 2**k,
                "learning_rate": 10.0 ** (-4 + k),
                "momentum": 0.2 * (k + 1),
                "weight_decay": 0.01 * (k + 1),
                "num_layers": k + 1,
                "max_units": 64 * 2**k,
                "max_dropout": 0.2 * k,
                "imputation_strategy": "mean",
            },
            "log": {
                "epoch": list(range(6)),
                "time": [2.0 * (epoch + 1) for epoch in range(6)],
                "Train/val_accuracy": accuracy,
                "Train/val_cross_entropy": [1 / a for a in accuracy],
            },
            "results": {"final_val_accuracy": accuracy[-1]},
        }

    data = {"adult": {str(k): run(k) for k in range(4)}, "credit-g": {"0": run(0), "1": run(1)}}
    (folder / "data_2k_lw.json").write_text(json.dumps(data))
    return folder / "data_2k_lw.json"


def test_lcbench(tmp_path: Path) -> None:
    tasks = lcbench.load(lcbench_file(tmp_path))
    assert list(tasks) == ["adult", "credit-g"]
    task = tasks["adult"]
    assert task.optimum == -58.0
    config = {**task.space.defaults(), "batch_size": 32, "learning_rate": 1e-3, "momentum": 0.4}
    config |= {"weight_decay": 0.02, "num_layers": 2, "max_units": 128, "max_dropout": 0.2}
    measured = task.measure([config])
    assert measured.metrics["val_accuracy"].tolist() == [[51, 52, 53, 54, 55, 56]]
    assert measured.ended.tolist() == [12.0]
    study = mq.Study("s", task.space, store=virtual_store(), searcher="random", **task.settings)
    assert simulate(study, task.replay, 3).seconds == 36.0


def test_hpo_b(tmp_path: Path) -> None:
    X, y = RNG.random((8, 3)), RNG.random((8, 1))
    data = {"5860": {"145833": {"X": X.tolist(), "y": y.tolist()}}}
    (tmp_path / "meta-test-dataset.json").write_text(json.dumps(data))
    starts = {"5860": {"145833": {"test0": [1, 4], "test1": [0, 7]}}}
    (tmp_path / "bo-initializations.json").write_text(json.dumps(starts))
    task = hpob.load(tmp_path / "meta-test-dataset.json", "5860", "145833")
    assert task.optimum == -y.max()
    configs = [dict(zip(task.space, x.tolist(), strict=True)) for x in X]
    assert task.losses(configs) == pytest.approx(-y[:, 0])
    first = hpob.initial(
        tmp_path / "bo-initializations.json", tmp_path / "meta-test-dataset.json", "5860", "145833"
    )
    assert task.losses(first["test1"]) == pytest.approx(-y[[0, 7], 0])
    with pytest.raises(BenchmarkError, match=r"no data set '14583'\. Did you mean '145833'"):
        hpob.load(tmp_path / "meta-test-dataset.json", "5860", "14583")


def pd1_run(k: int, epochs: int, status: str = "done") -> dict:
    return {
        "study_group": "mnist max_pooling_cnn 256",
        "status": status,
        "hps.lr_hparams.initial_value": 10.0 ** (-3 + k),
        "hps.lr_hparams.power": 0.5 + 0.4 * k,
        "hps.lr_hparams.decay_steps_factor": 0.2 + 0.2 * k,
        "hps.opt_hparams.momentum": 1 - 10.0 ** (-2 + 0.5 * k),
        "epoch": [float(e) for e in range(1, epochs + 1)],
        "eval_time": [3.0] * epochs,
        "valid/error_rate": [0.5 / e + 0.1 * k for e in range(1, epochs + 1)],
    }


def test_pd1(tmp_path: Path) -> None:
    runs = [pd1_run(0, 10), pd1_run(1, 10), pd1_run(2, 4, "diverged")]
    path = tmp_path / "pd1_matched_phase1_results.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, runs)).encode()))
    (task,) = pd1.load(path).values()
    assert task.optimum == pytest.approx(0.05)
    configs = [pd1._config(run) for run in runs]
    measured = task.measure(configs)
    assert measured.states.tolist() == [State.DONE, State.DONE, State.DIVERGED]
    assert measured.metrics["error"][1, -1] == pytest.approx(0.15)
    assert measured.ended[0] == 30.0
    assert measured.ended[2] < 15.0
    assert np.isnan(task.losses(configs)[2])


def test_tabrepo(tmp_path: Path) -> None:
    lines = ["dataset,fold,framework,metric_error,metric_error_val,time_train_s"]
    lines += [
        f"{data},{fold},{model},{0.2 + 0.1 * fold},{0.1 * k + 0.01 * fold},{k + 1}"
        for data in ("adult", "car")
        for k, model in enumerate(("CatBoost_c1_BAG_L1", "LightGBM_r3_BAG_L1"))
        for fold in range(3)
    ]
    (tmp_path / "results.csv").write_text("\n".join(lines) + "\n")
    tasks = tabrepo.load(tmp_path / "results.csv")
    assert sorted(tasks) == ["adult", "car"]
    models = [{"model": m} for m in ("CatBoost_c1_BAG_L1", "LightGBM_r3_BAG_L1")]
    assert tasks["car"].losses(models) == pytest.approx([0.01, 0.11])
    assert tasks["car"].losses(models, [2, 1]) == pytest.approx([0.02, 0.11])
    assert tasks["car"].rows == 3
    assert tasks["car"].measure(models).ended.tolist() == [1.0, 2.0]
    (tmp_path / "results.csv").write_text("dataset,fold\na,1\n")
    with pytest.raises(BenchmarkError, match="no column framework, metric_error"):
        tabrepo.load(tmp_path / "results.csv")


def jahs_file(folder: Path, **changes: str) -> Path:
    """Two models of two epochs, the second of which failed after the first epoch."""
    settings = {
        "LearningRate": ("0.1", "0.01"), "WeightDecay": ("5e-05", "0.001"),
        "Activation": ("Mish", "ReLU"), "TrivialAugment": ("False", "True"),
        **{f"Op{k}": (str(k - 1 if k < 6 else 0), "2") for k in range(1, 7)},
        "N": ("5", "1"), "W": ("16", "4"), "Resolution": ("1.0", "0.25"),
        "Optimizer": ("SGD", "SGD"),
    }  # fmt: skip
    rows = [
        {
            "sampling_index/model_ID": f"m{k}",
            "features/epoch": str(epoch),
            **{f"features/{name}": values[k] for name, values in settings.items()},
            "labels/valid-acc": str(80 + 10 * k + epoch),
            "labels/test-acc": "70",
            "labels/runtime": str(20.0 * epoch),
            **changes,
        }
        for k, epoch in ((0, 1), (0, 2), (1, 1))
    ]
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    (folder / "cifar10.csv").write_text("\n".join(lines) + "\n")
    return folder / "cifar10.csv"


def test_jahs(tmp_path: Path) -> None:
    task = jahs.load(jahs_file(tmp_path))
    assert (task.name, task.optimum, dict(task.duration)) == (
        "jahs/cifar10",
        -82,
        {"epochs": (1, 2)},
    )
    first = {"LearningRate": 0.1, "WeightDecay": 5e-5, "Activation": "Mish", "N": 5, "W": 16}
    first |= {"TrivialAugment": False, "Resolution": 1.0}
    first |= {f"Op{k}": k - 1 if k < 6 else 0 for k in range(1, 7)}
    second = first | {"LearningRate": 0.01, "Activation": "ReLU", "N": 1, "W": 4}
    second |= {"TrivialAugment": True, "Resolution": 0.25, **{f"Op{k}": 2 for k in range(1, 7)}}
    measured = task.measure([first, second])
    assert measured.metrics["valid_accuracy"][0].tolist() == [81, 82]
    assert measured.states.tolist() == [State.DONE, State.DIVERGED]
    assert measured.ended[0] == 40.0
    with pytest.raises(BenchmarkError, match=r"no table of JAHS: .*Activation"):
        jahs.load(jahs_file(tmp_path, **{"features/Activation": "Tanh"}))
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BenchmarkError, match="has no column sampling_index/model_ID"):
        jahs.load(tmp_path / "x.csv")


def test_carps(tmp_path: Path) -> None:
    names = {
        "bbob": "bbob/noiseless/4/1/0",
        "hpob": "hpob/all/5860/145833",
        "forest": "hpobench/blackbox/tab/ml/rf/146212",
        "nets": "hpobench/blackbox/tab/ml/nn/99",
        "trees": "yahpo/rbv2_ranger/40927/None",
        "boost": "yahpo/rbv2_xgboost/1/None",
    }
    for file, name in names.items():
        text = f"# @package _global_\ntask_id: blackbox/20/dev/{name}\ntask:\n  n_trials: 77\n"
        (tmp_path / f"subset_{file}.yaml").write_text(text)
    data = {"5860": {"145833": {"X": [[0.1], [0.2]], "y": [[0.5], [0.7]]}}}
    (tmp_path / "meta-test-dataset.json").write_text(json.dumps(data))
    found = carps.load(tmp_path, hpo_b=tmp_path / "meta-test-dataset.json")
    sphere, pool_ = (f"blackbox/20/dev/{names[k]}" for k in ("bbob", "hpob"))
    assert set(found.tasks) <= {sphere, pool_}
    assert len(found.tasks) + len(found.missing) == len(found.trials) == 6
    assert set(found.trials.values()) == {77}
    assert found.tasks[pool_].optimum == -0.7
    for key in ("forest", "nets", "trees", "boost"):
        assert found.missing[f"blackbox/20/dev/{names[key]}"] == "there is no such task here"
    assert "hpo_b=" in carps.load(tmp_path).missing[pool_]
    if sphere in found.tasks:  # where the package ioh is installed
        assert len(found.tasks[sphere].space) == 4
    (tmp_path / "subset_x.yaml").write_text("task: 1\n")
    with pytest.raises(BenchmarkError, match=r"subset_x\.yaml is no task of carps"):
        carps.load(tmp_path)
    with pytest.raises(BenchmarkError, match="holds no file of carps"):
        carps.load(tmp_path / "none")


def test_files_that_are_missing_or_truncated_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"none\.json is missing"):
        lcbench.load(tmp_path / "none.json")
    whole = lcbench_file(tmp_path)
    whole.write_text(whole.read_text()[:-40])
    with pytest.raises(BenchmarkError, match="cannot be read"):
        lcbench.load(whole)
    whole.write_text('{"adult": {"0": {"config": {}}}}')
    with pytest.raises(BenchmarkError, match="no file of LCBench"):
        lcbench.load(whole)
    packed = tmp_path / "pd1.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(pd1_run(0, 3)).encode())[:-9])
    with pytest.raises(BenchmarkError, match="cannot be read"):
        pd1.load(packed)
    packed.write_bytes(gzip.compress(b'{"a": 1}'))
    with pytest.raises(BenchmarkError, match="no file of PD1"):
        pd1.load(packed)
    with pytest.raises(BenchmarkError, match=r"none\.csv is missing"):
        tabrepo.load(tmp_path / "none.csv")


def test_an_empty_pool_is_refused() -> None:
    space, objective = mq.Space({"x": mq.Float(0, 1)}), mq.Objective("loss")
    none = pool.Pool([], np.ones(1), {"loss": np.empty((0, 1))}, np.empty((0, 1)))
    with pytest.raises(BenchmarkError, match="holds no runs"):
        pool.task("a/b", none, space, objective, "", lcbench.CARD)
