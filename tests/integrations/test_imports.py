"""Readers of other tools' records: what they make of states, values and damage."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from pathlib import Path
from typing import Any

import pytest

from maquette.errors import DataError
from maquette.integrations.imports import (
    from_csv,
    from_mlflow,
    from_tensorboard,
    from_transformers,
    from_wandb,
)
from maquette.integrations.imports.choose import Wanted, objective_of
from maquette.integrations.imports.infer import infer_space, parameter_of
from maquette.integrations.imports.plain import flat_yaml, read_text
from maquette.integrations.imports.runs import Run, Source, value_of
from maquette.space import Choice, Float, Int
from maquette.trial import State


def test_texts_are_read_as_what_they_write() -> None:
    texts = ["1", "1.5", "1e-3", "true", "False", "none", "nan", "", "adam", "1_000", "inf"]
    assert list(map(value_of, texts)) == [
        1, 1.5, 1e-3, True, False, None, None, None, "adam", "1_000", math.inf,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ([1e-4, 1e-1], Float(1e-4, 1e-1, log=True)),
        ([0.001, 0.002, 0.004, 0.008, 0.016], Float(0.001, 0.016, log=True)),
        ([0.1, 0.5, 0.9], Float(0.1, 0.9)),
        ([0.0, 0.5], Float(0.0, 0.5)),
        ([16, 64, 256], Int(16, 256, log=True)),
        (list(range(1, 13)), Int(1, 12)),
        ([1.0, 2.5], Float(1.0, 2.5)),
        (["a", "b"], Choice(["a", "b"])),
        ([True, False], Choice([True, False])),
        ([1, "auto"], Choice([1, "auto"])),
    ],
)
def test_a_parameter_is_inferred_from_its_values(values: list[Any], parameter: Any) -> None:
    assert parameter_of(values) == parameter


def runs(*configs: dict[str, Any]) -> Source:
    return Source([Run(f"x:{i}", c, {"loss": 1.0}, State.DONE) for i, c in enumerate(configs)])


def test_constants_and_names_are_set_aside_and_branches_found() -> None:
    source = runs(
        *({"lr": 0.1 * i, "opt": "sgd", "momentum": 0.9 + i / 100, "seed": 1, "tag": f"r{i}"}
          for i in range(1, 5)),
        *({"lr": 0.2 * i, "opt": "adam", "seed": 1, "tag": f"q{i}"} for i in range(1, 5)),
        *({"lr": 0.3, "opt": o, "seed": 1, "tag": "z"} | m
          for o, m in (("adam", {}), ("sgd", {"momentum": 0.5})) if o == "sgd"),
    )  # fmt: skip
    names = ["lr", "opt", "momentum", "seed", "tag"]
    found = infer_space(source, names[:4], asked=False)
    assert found.constants == {"seed": 1}
    assert found.space is not None
    assert set(found.space) == {"lr", "opt", "momentum"}
    assert "momentum" not in found.space.normalise({"lr": 0.1, "opt": "adam"})
    unique = infer_space(runs(*({"tag": f"r{i}", "lr": i} for i in range(6))), ["tag"], asked=False)
    assert "tag" in unique.aside
    kept = infer_space(runs(*({"tag": f"r{i}", "lr": i} for i in range(6))), ["tag"], asked=True)
    assert kept.space is not None


def test_the_little_yaml_that_trackers_write() -> None:
    text = (
        "wandb_version: 1\n# comment\n_wandb:\n    value:\n        cli: '1'\nlr:\n  desc: null\n"
        "  value: 0.1\nname:\n    value: 'it''s'\nlist:\n- 1\nflag: true\nid: '0012'\n"
    )
    assert flat_yaml(text) == {
        "wandb_version": 1, "lr": 0.1, "name": "it's", "flag": True, "id": "0012",
    }  # fmt: skip


def mlruns(root: Path) -> Path:
    """Two experiments as MLflow's file store keeps them."""
    for experiment, count in (("alpha", 5), ("beta", 1)):
        folder = root / experiment
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(f"experiment_id: '7'\nname: {experiment}\n")
        for i in range(count):
            run = folder / f"{experiment}{i}"
            (run / "params").mkdir(parents=True)
            (run / "metrics" / "val").mkdir(parents=True)
            stage = "deleted" if i == 4 else "active"
            (run / "meta.yaml").write_text(
                f"run_id: {experiment}{i}\nstatus: {[3, 4, 5, 1, 3][i]}\nstart_time: {1000 + i}\n"
                f"end_time: {3000 + i}\nlifecycle_stage: {stage}\n"
            )
            (run / "params" / "lr").write_text(str(0.1 * (i + 1)))
            (run / "metrics" / "val" / "loss").write_text("5 2.0 0\n7 1.0 2\n6 1.5 1\n")
    return root


def test_the_folder_of_mlflow(tmp_path: Path) -> None:
    found = from_mlflow.read(str(mlruns(tmp_path / "mlruns")), "alpha").runs
    assert [run.state for run in found] == [State.DONE, State.CRASHED, State.STOPPED, None]
    assert [run.config for run in found][:2] == [{"lr": 0.1}, {"lr": 0.2}]
    assert found[0].metrics == {"val/loss": 1.0}  # the last step, not the last line
    assert found[0].seconds == 2.0
    with pytest.raises(DataError, match="2 experiments: alpha, beta"):
        from_mlflow.read(str(tmp_path / "mlruns"), None)
    with pytest.raises(DataError, match="Did you mean 'alpha'"):
        from_mlflow.read(str(tmp_path / "mlruns"), "alpa")


def test_damaged_files_of_mlflow_are_named(tmp_path: Path) -> None:
    root = mlruns(tmp_path / "mlruns")
    (root / "alpha" / "alpha0" / "metrics" / "val" / "loss").write_text("1 one 0\n")
    (root / "alpha" / "alpha1" / "meta.yaml").write_text("run_id: alpha1\nstatus: 9\n")
    source = from_mlflow.read(str(root), "alpha")
    assert len(source.problems) == 2
    assert source.runs[0].metrics == {}
    assert len(source.runs) == 3


def test_the_database_of_mlflow(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as db:
        db.executescript(
            """
            CREATE TABLE experiments (experiment_id INTEGER, name TEXT);
            CREATE TABLE runs (run_uuid TEXT, status TEXT, start_time INTEGER, end_time INTEGER,
                               lifecycle_stage TEXT, experiment_id INTEGER);
            CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
            CREATE TABLE latest_metrics (key TEXT, value REAL, is_nan INTEGER, run_uuid TEXT);
            INSERT INTO experiments VALUES (1, 'alpha');
            INSERT INTO runs VALUES ('a', 'FINISHED', 1000, 3000, 'active', 1),
                                    ('b', 'KILLED', 2000, NULL, 'active', 1),
                                    ('c', 'FINISHED', 2000, 2500, 'deleted', 1);
            INSERT INTO params VALUES ('lr', '0.1', 'a'), ('opt', 'adam', 'a'), ('lr', '0.2', 'b');
            INSERT INTO latest_metrics VALUES ('loss', 0.0, 1, 'a'), ('loss', 0.5, 0, 'b');
            """
        )
    a, b = from_mlflow.read(str(tmp_path / "mlflow.db"), None).runs
    assert a.config == {"lr": 0.1, "opt": "adam"}
    assert math.isnan(a.metrics["loss"])
    assert (b.state, b.metrics, b.seconds) == (State.STOPPED, {"loss": 0.5}, 0.0)
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE x (y)")
    with pytest.raises(DataError, match="no database of MLflow"):
        from_mlflow.read(str(tmp_path / "other.db"), None)


ENTRIES = [
    {"id": "a", "state": "finished", "project": "p", "summary": {"loss": 1.5, "_runtime": 12},
     "config": {"lr": {"value": 0.1, "desc": None}, "optim": {"wd": 0.2}, "_wandb": {"x": 1}}},
    {"id": "b", "state": "killed", "project": "q", "config": {"lr": 0.01}, "summary": {},
     "history": [{"_step": 0, "loss": 3.0}, {"_step": 1, "loss": 2.0}]},
    {"id": "c", "state": "finished", "config": {"lr": 1}, "summary": {"loss": "NaN"}},
    {"id": "d", "state": "what", "config": {"lr": 1}},
    {"id": "e"},
]  # fmt: skip


@pytest.mark.parametrize("lines", [False, True])
def test_json_of_weights_and_biases(tmp_path: Path, *, lines: bool) -> None:
    path = tmp_path / "runs.json"
    path.write_text("\n".join(map(json.dumps, ENTRIES)) if lines else json.dumps(ENTRIES))
    source = from_wandb.read(str(path), None)
    a, b, c = source.runs
    assert (a.config, a.metrics, a.seconds) == ({"lr": 0.1, "optim.wd": 0.2}, {"loss": 1.5}, 12.0)
    assert (b.state, b.metrics) == (State.STOPPED, {"loss": 2.0})
    assert math.isnan(c.metrics["loss"])
    assert len(source.problems) == 2
    assert [run.key for run in from_wandb.read(str(path), "q").runs] == ["wandb:b"]


def test_csv_of_weights_and_biases(tmp_path: Path) -> None:
    (tmp_path / "project.csv").write_text(
        ",summary,config,name\n"
        "0,\"{'loss': 1.0, '_runtime': 3}\",\"{'lr': 0.1, 'opt': 'nan'}\",u\n"
        "1,\"{'loss': nan}\",\"{'lr': 0.01, 'opt': 'x'}\",v\n"
    )
    u, v = from_wandb.read(str(tmp_path / "project.csv"), None).runs
    assert (u.key, u.config, u.metrics) == ("wandb:u", {"lr": 0.1, "opt": "nan"}, {"loss": 1.0})
    assert v.metrics == {}
    (tmp_path / "table.csv").write_text(
        "Name,State,Created,Runtime,lr,opt,val_loss\nu,finished,2024,7,0.1,a,1\nv,killed,2024,8,1,b,2\n"
    )
    source = from_wandb.read(str(tmp_path / "table.csv"), None)
    assert source.mixed
    assert [run.state for run in source.runs] == [State.DONE, State.STOPPED]
    assert source.runs[0].seconds == 7.0
    assert set(source.runs[0].config) == {"lr", "opt", "val_loss"}


def test_the_folder_of_weights_and_biases(tmp_path: Path) -> None:
    for name, ended in (("run-1-abc", True), ("offline-run-2-def", False)):
        files = tmp_path / "wandb" / name / "files"
        files.mkdir(parents=True)
        if ended:
            (files / "config.yaml").write_text("lr:\n    value: 0.1\n_wandb:\n    value:\n")
            (files / "wandb-summary.json").write_text('{"loss": 2.5, "_runtime": 3}')
    source = from_wandb.read(str(tmp_path), None)
    assert [(r.key, dict(r.config), dict(r.metrics)) for r in source.runs] == [
        ("wandb:abc", {"lr": 0.1}, {"loss": 2.5})
    ]
    assert len(source.problems) == 1


def test_folders_of_the_trainer(tmp_path: Path) -> None:
    for run, lr, steps in (("a", 0.1, 20), ("b", 0.2, 10)):
        for step in (10, steps):
            folder = tmp_path / run / f"checkpoint-{step}"
            folder.mkdir(parents=True, exist_ok=True)
            state = {
                "global_step": step,
                "max_steps": 20,
                "num_train_epochs": 1,
                "trial_params": None,
                "log_history": [{"step": step, "eval_loss": 1 / step}],
                "total_flos": 1e9,
            }
            (folder / "trainer_state.json").write_text(json.dumps(state))
        (tmp_path / run / "args.json").write_text(json.dumps({"learning_rate": lr}))
    a, b = from_transformers.read(str(tmp_path)).runs
    assert (a.state, b.state) == (State.DONE, State.STOPPED)  # b ended halfway
    assert a.metrics["eval_loss"] == 1 / 20
    assert a.config["learning_rate"] == 0.1
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no trainer_state"):
        from_transformers.read(str(tmp_path / "empty"))


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def delimited(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def event(time: float, step: int, tag: str, value: bytes) -> bytes:
    """One record of an event file; checksums are not looked at."""
    summary = delimited(1, delimited(1, tag.encode()) + value)
    message = b"\x09" + struct.pack("<d", time) + b"\x10" + varint(step) + delimited(5, summary)
    return struct.pack("<Q", len(message)) + bytes(4) + message + bytes(4)


def test_event_files_of_tensorboard(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "version_0"
    folder.mkdir(parents=True)
    (folder / "hparams.yaml").write_text("lr: 0.1\nname: x\n")
    plain = b"\x15" + struct.pack("<f", 0.5)
    tensor = delimited(8, b"\x08\x01" + delimited(5, struct.pack("<f", 0.25)))
    text = delimited(8, b"\x08\x07" + delimited(8, b"words"))
    data = event(10.0, 300, "val_loss", plain) + event(14.0, 700, "val_loss", tensor)
    data += event(15.0, 700, "note", text)
    (folder / "events.out.tfevents.1.host").write_bytes(data + data[:20])  # the run died
    (run,) = from_tensorboard.read(str(tmp_path)).runs
    assert (run.config, run.metrics, run.seconds) == (
        {"lr": 0.1, "name": "x"}, {"val_loss": 0.25}, 5.0,
    )  # fmt: skip
    (folder / "hparams.yaml").unlink()
    with pytest.raises(DataError, match="has no hparams"):
        from_tensorboard.read(str(tmp_path))


def test_json_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": 1,\n "b": }')
    with pytest.raises(DataError, match="line 2, column 7"):
        from_wandb.read(str(tmp_path / "x.json"), None)


def test_a_loss_of_words_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("lr,loss\n0.1,1.2x\n0.2,low\n")
    source = from_csv.read(str(tmp_path / "runs.csv"), None)
    with pytest.raises(DataError, match="loss is no metric: no run has a number there"):
        objective_of(source, Wanted())


def test_a_file_that_is_not_there_has_a_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "runs.json").write_text("[]")
    with pytest.raises(DataError, match=r"rnus\.json: no such file\. Did you mean 'runs\.json'"):
        read_text(tmp_path / "rnus.json")
