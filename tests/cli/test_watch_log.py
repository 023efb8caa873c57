"""``maquette watch STUDY --log``: a target's run beside what the study's trials foretell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import maquette as mq
from maquette.cli.watch_log import read_log
from maquette.errors import DataError
from maquette.scaling.watched import curves
from tests.cli.conftest import Cli

BEST = 2**-6


def loss_at(done: float, width: float, lr: float, rng: np.random.Generator) -> float:
    """Falls along the run; a rate too high costs more the longer it goes on."""
    off = math.log2(lr / BEST)
    bent = 0.02 * off**2 * (3 * done + 0.5)
    return float((2 + 6 / math.sqrt(width) + 0.5 * (done + 0.01) ** -0.3) * math.exp(
        bent + 0.003 * rng.standard_normal()
    ))  # fmt: skip


def trained(trial: Mapping[str, float] | mq.Trial) -> float:
    assert isinstance(trial, mq.Trial)
    rng = np.random.default_rng(trial.number)
    for step in range(20):
        loss = loss_at((step + 1) / 20, trial.scale["width"], float(trial["lr"]), rng)
        trial.report(step, loss=loss)
    return loss


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('watch') / 'm.db'}"
    study = mq.Study(
        "small",
        {"lr": mq.Float(2**-9, 2**-3, log=True)},
        trained,
        store=url,
        searcher="random",
        scale=mq.Scale([{"width": 32}, {"width": 64}], width=(32, 256)),
        seed=1,
    )
    study.run(mq.Budget(trials=20))
    return url


def write(path: Path, lr: float, steps: int) -> None:
    rng = np.random.default_rng(7)
    lines = [
        f"iter {s}: loss {loss_at((s + 1) / 1000, 256, lr, rng):.5f}, 12 ms"
        for s in range(0, steps, 5)
    ]
    path.write_text("started\n" + "\n".join(lines))


def test_a_run_on_course_and_one_that_is_not(cli: Cli, store: str, tmp_path: Path) -> None:
    write(tmp_path / "train.log", BEST, 400)
    sound = cli("watch", "small", "--log", "train.log", "--total", 1000, "--store", store, "--json")
    assert sound.code == 0
    assert sound.json["state"] == "on course"
    assert sound.json["progress"] == pytest.approx(0.395)
    write(tmp_path / "train.log", 8 * BEST, 400)
    wrong = cli("watch", "small", "--log", "train.log", "--total", 1000, "--store", store)
    assert wrong.code == 1
    assert "above the band" in wrong.out
    assert "at 40 % of the tokens" in wrong.out


def test_what_is_missing_is_asked_for(cli: Cli, store: str, tmp_path: Path) -> None:
    write(tmp_path / "train.log", BEST, 100)
    found = cli("watch", "small", "--log", "train.log", "--store", store)
    assert found.code == 2
    assert "--total" in found.err
    found = cli("watch", "small", "--log", "train.log", "--total", 10, "--store", store)
    assert found.code == 2
    assert "the whole run is given as 10" in found.err
    found = cli("watch", "small", "--log", "none.log", "--total", 9, "--store", store)
    assert found.code == 2
    assert "none.log cannot be read" in found.err


def test_trials_of_the_study_are_the_faults(store: str) -> None:
    found = curves(mq.Study.load("small", store).history)
    causes = {c.cause for c in found}
    assert "" in causes
    assert causes <= {"", "learning rate too high", "learning rate too low"}
    assert len(causes) > 1
    assert all(c.progress[-1] == 1 for c in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"step": 1, "loss": 3.5}\n{"step": 2, "loss": NaN}', ([1, 2], [3.5, math.nan])),
        ("step 1,000 | train loss: 2.5e0\nnoise", ([1000], [2.5])),
        ("tokens=5 loss=3\ntokens=9 loss=2\ntokens=7 loss=1", ([5, 7], [3, 1])),
        ("step,val_loss,loss\n1,9,3.5\n2,9,3\n2,,\n", ([1, 2], [3.5, 3])),
        ("\ufeffStep;Loss\n10;3,5\n20;3,25\n", ([10, 20], [3.5, 3.25])),
        ("Wall time\tStep\tValue\n1.7e9\t5\t4.5\n", ([5], [4.5])),
        (
            '"Step","big - train/loss","big - train/loss__MIN"\n"4","2.5","2.4"\n',
            ([4], [2.5]),
        ),
        ("epoch,global_step,train_loss\n0,3,nan\n", ([3], [math.nan])),
        (
            '{\n "log_history": [{"step": 5, "loss": 3.0}, {"step": 5, "eval_loss": 2.0}],\n'
            ' "max_steps": 9}',
            ([5], [3.0]),
        ),
    ],
)
def test_logs_of_several_forms_are_read(
    text: str, expected: tuple[list[float], list[float]], tmp_path: Path
) -> None:
    (tmp_path / "a.log").write_text(text)
    places, losses = read_log(tmp_path / "a.log")
    assert places == expected[0]
    assert losses == pytest.approx(expected[1], nan_ok=True)


@pytest.mark.parametrize("text", ["nothing here", "", "step,val_loss\n1,2\n", '{"log_history": 3}'])
def test_a_log_without_losses_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(text)
    with pytest.raises(DataError, match="no line with a step and a loss"):
        read_log(tmp_path / "a.log")
