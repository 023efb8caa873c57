"""The demo's parts that need no training, and its errors."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest

import maquette as mq
from maquette.demo import designs
from maquette.demo.checks import check_text, need_torch, open_folder, study_name
from maquette.demo.pipeline import fit, smallest_best, target_configs
from maquette.demo.result import DemoResult
from maquette.demo.target import TargetRun, train_all
from maquette.errors import DataError, StoreError
from maquette.space import Float, Int
from maquette.trial import State

DESIGNS = [designs.quick(), designs.full()]


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: d.name)
def test_designs_keep_what_they_promise(design: designs.Design) -> None:
    cells = design.scale.cells
    base, target = design.scale.base, design.scale.target
    assert base in cells
    assert target not in cells
    assert len({c["width"] for c in cells}) >= 3
    assert target["width"] >= 4 * base["width"]
    if design.name == "full":
        assert len({c["depth"] for c in cells}) >= 2
        assert len({c["tokens"] for c in cells}) >= 2
        assert target["depth"] >= 2 * base["depth"]
        assert target["tokens"] >= 4 * base["tokens"]
        assert {"lr", "weight_decay", "init_scale", "batch"} <= set(design.space)
        assert not design.untested
    else:
        assert set(design.space) == {"lr", "weight_decay"}
        assert {"depth", "tokens", "batch size"} <= set(design.untested)
    for cell in (*cells, target):
        assert cell["width"] % 16 == 0


def test_a_missing_torch_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(mq.MaquetteError, match=r"PyTorch.*\n.*pip install"):
        need_torch()


def test_text_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "short.txt").write_text("too short")
    (tmp_path / "picture.png").write_bytes(bytes(range(256)) * 1000)
    with pytest.raises(DataError, match="there is no file or folder"):
        check_text(tmp_path / "missing.txt")
    with pytest.raises(DataError, match="100,000"):
        check_text(tmp_path / "short.txt")
    with pytest.raises(DataError, match="not a text file"):
        check_text(tmp_path / "picture.png")


def test_text_that_can_be_used_is_returned_whole(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    file = tmp_path / "long.txt"
    file.write_text("All the world's a stage. " * 5000)
    assert check_text(file) == str(file)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        open_folder(tmp_path / "file" / "out")


def test_every_seed_and_text_has_a_study_of_its_own() -> None:
    names = {study_name(d, s, t) for d in ("quick", "full") for s in (0, 1) for t in (None, "a")}
    assert len(names) == 8
    assert study_name("quick", 0, None) == "demo-quick"


def toy(trial: mq.Trial) -> float:
    """A valley whose optimum does not move; what the demo's proxies look like from outside."""
    excess = 0.05 * math.log(trial["lr"] / 0.01) ** 2
    return float(1.0 + (trial.scale["width"] / 32) ** -0.3 + excess)


def test_the_recipe_is_one_of_the_space_and_the_copy_is_the_smallest_best() -> None:
    design = designs.full()
    study = mq.Study("toy", design.space, toy, scale=design.scale, searcher="sobol")
    study.run(60)
    model = fit(design, study.history)
    configs = target_configs(design, study.history, model)
    recipe, at = configs["recipe"]
    assert at == design.scale.target
    assert recipe["lr"] == pytest.approx(0.01, rel=0.3)
    for name, parameter in design.space.items():
        assert isinstance(parameter, Float | Int)
        assert parameter.low <= recipe[name] <= parameter.high
    assert isinstance(recipe["batch"], int)
    best = smallest_best(study.history)
    assert best.scale == design.scale.base
    assert configs["copied"][0] == {**best.config, "rule": "sp"}


def echo(trial: mq.Trial) -> dict[str, float]:
    """A run at the target that reports twice and ends where its config says."""
    for step in (0.5, 1.0):
        trial.report(step, loss=trial["loss"] + 1 - step)
    count = trial.folder.parent / "count"
    count.write_text(str(int(count.read_text()) + 1 if count.exists() else 1))
    return {"loss": math.nan if "dies" in trial else trial["loss"]}


def test_target_runs_are_trained_once_and_kept(tmp_path: Path) -> None:
    at = {"width": 128.0}
    runs = {"recipe": ({"loss": 1.5}, at), "copied": ({"loss": 1.7, "dies": True}, at)}
    first = train_all(echo, runs, tmp_path, workers=1)
    assert first["recipe"].loss == 1.5
    assert first["recipe"].steps == [0.5, 1.0]
    assert first["copied"].state is State.DIVERGED
    again = train_all(echo, runs, tmp_path, workers=1)
    assert {k: r.to_json() for k, r in again.items()} == {k: r.to_json() for k, r in first.items()}
    changed = {**runs, "recipe": ({"loss": 1.25}, at)}
    assert train_all(echo, changed, tmp_path, workers=1)["recipe"].loss == 1.25
    assert (tmp_path / "count").read_text() == "3"


def result(loss: float, copied: float, state: State = State.DONE) -> DemoResult:
    design = designs.quick()
    study = mq.Study("toy", design.space, toy, scale=design.scale, searcher="sobol")
    study.run(30)
    recipe = fit(design, study.history).recipe(**design.scale.target)
    runs = [
        TargetRun(label, {}, dict(design.scale.target), loss=value, state=state)
        for label, value in (("recipe", loss), ("copied", copied))
    ]
    here = Path("here")
    return DemoResult(
        "quick", 0, "text", recipe, *runs, {}, {}, design.untested, ("One.",), here, here
    )


def test_the_sentences_say_what_was_measured() -> None:
    text = str(result(1.65, 1.7))
    assert "reached 1.6500" in text
    assert "3.03 % worse" in text
    assert "Not tested by this demo: depth" in text
    text = str(result(1.8, 1.7))
    assert "outside" in text
    assert "% better" in text


def test_a_target_that_diverged_is_said() -> None:
    found = result(math.nan, math.nan, State.DIVERGED)
    assert "it is wrong" in str(found)
    assert found.to_json()["target"]["recipe"] is None
