"""Learning curves: TaskSet, AlgoPerf and nanoGPT, in simulated time."""

from __future__ import annotations

import numpy as np
import pytest

import maquette as mq
from maquette.bench import catalogue, files
from maquette.bench.runs import Runs, resample
from maquette.bench.tasks import algoperf, nanogpt, taskset
from maquette.fidelity import Fidelity
from maquette.simulate import End, simulate, virtual_store
from maquette.trial import State, Trial
from tests.services import needs


def test_a_curve_holds_what_was_measured_last() -> None:
    times, values = np.array([3.0, 1.0, 5.0]), np.array([30.0, 10.0, np.nan])
    found = resample(np.array([0.5, 1.0, 2.9, 3.0, 9.0]), times, values)
    assert found.tolist() == [10.0, 10.0, 10.0, 30.0, 30.0]


def test_the_runs_of_a_recipe_are_its_rows() -> None:
    curves = np.arange(10.0).reshape(5, 2)
    groups = [np.array([0, 3]), np.array([1, 2, 4])]
    runs = Runs(np.array([1.0, 2.0]), {"loss": curves}, curves * 60, groups)
    assert runs.rows == 3
    assert runs.truth("loss").tolist() == [(1 + 7) / 2, (3 + 5 + 9) / 3]
    found = runs(np.array([[0.0], [1.0], [1.0]]), np.array([1, 2, 3]), {})
    assert found.metrics["loss"].tolist() == [[6, 7], [8, 9], [2, 3]]
    assert found.ended.tolist() == [420, 540, 180]


@needs("data")
def test_a_run_that_diverges_ends_where_its_loss_does() -> None:
    task = catalogue.load("taskset/patch32_IRNN64_relu_last_bs128")
    data = files.arrays(taskset.FAMILY.card.files[3], "taskset")
    broken = np.flatnonzero(np.isnan(data["valid_loss"][:, -1]))
    i = int(broken[np.isfinite(data["valid_loss"][broken, 3]).argmax()])
    at = int(np.isnan(data["valid_loss"][i]).argmax())
    config = dict(zip(task.space, data["hp"][i].tolist(), strict=True))
    config |= {f"one_minus_beta{k}": 1 - config[f"one_minus_beta{k}"] for k in (1, 2)}
    assert np.isnan(task.losses([config])[0])

    def run(until: float, first: float = 0) -> list:
        fidelity = Fidelity(until={"evaluations": until})
        return list(task.replay(Trial(0, config, fidelity, first_step=first)))

    *reports, end = run(50)
    assert isinstance(end, End)
    assert end.state is State.DIVERGED
    assert end.seconds == at
    assert [r.step for r in reports] == list(range(1, at))
    assert len(run(at - 1)) == at - 1  # stopped before: nothing has failed
    resumed = run(50, first=2)
    assert resumed[-1].seconds == at - 2


@needs("data")
def test_a_curve_is_the_one_of_the_table() -> None:
    task = catalogue.load("taskset/patch32_GRU64_avg_bs128")
    data = files.arrays(taskset.FAMILY.card.files[2], "taskset")
    config = dict(zip(task.space, data["hp"][7].tolist(), strict=True))
    config |= {f"one_minus_beta{k}": 1 - config[f"one_minus_beta{k}"] for k in (1, 2)}
    found = task.measure([config]).metrics["valid_loss"][0]
    assert found == pytest.approx(data["valid_loss"][7, 1:])


@needs("data")
@needs("pyarrow")
@pytest.mark.parametrize(
    "name", [nanogpt.FAMILY.names[1], algoperf.FAMILY.names[4], "taskset/patch32_LSTM128_bs128"]
)
def test_a_scheduler_stops_runs_on_their_curves(name: str) -> None:
    task = catalogue.load(name)
    study = mq.Study(
        "s", task.space, store=virtual_store(), searcher="random", scheduler="asha", **task.settings
    )
    simulate(study, task.replay, 40, workers=4)
    counts = study.history.counts()
    assert counts["stopped"] > counts["done"] > 0


@needs("data", "pyarrow")
@pytest.mark.parametrize("workload", ["fastmri_jax", "criteo1tb_pytorch", "wmt_jax"])
def test_algoperf_submissions_differ_at_the_end(workload: str) -> None:
    task = catalogue.load(f"algoperf/{workload}")
    settings = task.space["setting"].values
    assert len(settings) > 20
    assert all(s.startswith("algoperf_v0") for s in settings)
    losses = task.losses([{"setting": s} for s in settings])
    assert losses.min() == task.optimum
    assert np.unique(losses).size > 10
    curves = task.measure([{"setting": settings[0]}] * task.rows, range(task.rows))
    assert (np.diff(curves.seconds, axis=1) > 0).all()
