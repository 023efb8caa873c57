"""Grid search: what it promises beyond the contract."""

from __future__ import annotations

import numpy as np
import pytest

import maquette as mq
from maquette.errors import StudyError
from maquette.events import SpaceChanged
from maquette.fidelity import Fidelity
from maquette.history import Problem
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.search import Grid
from maquette.space import Choice, Float, Int, Space
from maquette.testing.problems import NESTED, nested, problem
from maquette.testing.script import Script, ask, search

MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "layers": Int(1, 3),
        "optimizer": Choice(["adamw", "sgd"]),
        "momentum": Float(0.5, 0.9, when={"optimizer": "sgd"}),
    }
)


def configs(script):
    return [trial.config for trial in script.history.trials]


def test_every_combination_once_and_then_the_end():
    grid = Grid(4)
    assert grid.size(MIXED) == 4 * 3 * (1 + 4)
    script = search(problem(MIXED), grid, lambda c: c["lr"], 100)
    tried = configs(script)
    assert len({MIXED.key(c) for c in tried}) == len(tried) == 60
    assert {round(c["lr"], 6) for c in tried} == {1e-4, 1e-3, 1e-2, 1e-1}
    assert {c["momentum"] for c in tried if "momentum" in c} == {
        0.5,
        0.6333333333333,
        0.7666666666667,
        0.9,
    }
    assert ask(script.history, grid, n=3) == []


def test_values_may_be_given():
    grid = Grid({"lr": [3e-4, 1e-3], "layers": 2, "momentum": 1})
    script = search(problem(MIXED), grid, lambda c: c["lr"], 100)
    assert {c["lr"] for c in configs(script)} == {3e-4, 1e-3}
    assert {c["layers"] for c in configs(script)} == {1, 3}
    assert {c.get("momentum") for c in configs(script)} == {None, 0.7}
    assert len(configs(script)) == grid.size(MIXED) == 8


def test_constraints_leave_configs_out_before_the_start():
    grid = Grid(3)
    script = search(problem(NESTED), grid, nested, 20)
    size = script.history.trials[-1].why["size"]
    assert size == grid.size(NESTED)
    assert [t.why["place"] for t in script.history.trials] == list(range(1, 21))
    wide = Space(NESTED)
    assert grid.size(wide) > size
    with pytest.raises(StudyError, match="none of the grid's 4 configs"):
        Grid(2).size(Space({"x": Float(0, 1), "y": Float(0, 1)}, ["x + y > 0.4", "x + y < 0.6"]))


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_stopped_early_it_has_spread_evenly(share):
    """Every level of every parameter is tried about equally often."""
    space = Space({**{f"x{i}": Float(0, 1) for i in range(3)}, "c": Choice(list("abcd"))})
    total = Grid(8).size(space)
    tried = configs(search(problem(space), Grid(8), lambda c: c["x0"], int(share * total)))
    for name in space:
        values, counts = np.unique([c[name] for c in tried], return_counts=True)
        assert len(values) == (4 if name == "c" else 8)
        assert counts.max() <= 1.35 * counts.min()


def test_the_first_is_nearest_to_the_defaults():
    space = Space({"lr": Float(1e-4, 1e-1, log=True, default=2e-3), "n": Int(1, 9, default=8)})
    config = ask(Script(problem(space)).history, Grid(4))[0].config
    assert (config["lr"], config["n"]) == (pytest.approx(1e-3), 9)


def test_an_explosion_is_refused_with_its_size_and_a_remedy():
    space = Space({f"x{i}": Float(0, 1) for i in range(20)})
    with pytest.raises(StudyError, match=r"95,367,431,640,625 configs, more than most=10,000"):
        ask(Script(problem(space)).history, Grid())
    with pytest.raises(StudyError, match=r"searcher=\"sobol\""):
        Grid(2).size(space)
    deep = Space(
        {f"n{i}": Int(1, 100, when={f"n{i - 1}": (2, 99)} if i else None) for i in range(6)}
    )
    with pytest.raises(StudyError, match="more than 200,000 configs"):
        Grid(100).size(deep)


def test_what_is_wrong_is_said_at_once():
    with pytest.raises(StudyError) as caught:
        Grid({"a": 0, "b": "xy", "c": []}, most=0)
    assert len(caught.value.problems) == 4
    with pytest.raises(StudyError, match="Did you mean 'layers'"):
        Grid({"layer": 3}).size(MIXED)
    with pytest.raises(StudyError) as caught:
        Grid({"lr": [1.0], "optimizer": ["adam"]}).size(MIXED)
    assert len(caught.value.problems) == 2


def test_what_was_tried_is_passed_over_whoever_proposed_it():
    script = Script(problem(MIXED))
    script.try_config({"lr": 1e-4, "layers": 3, "optimizer": "adamw"}, loss=1.0)
    grid = Grid({"lr": 2, "layers": 2, "momentum": 1})
    left = [MIXED.key(s.config) for s in ask(script.history, grid, n=100)]
    assert len(left) == grid.size(MIXED) - 1
    assert MIXED.key(script.history.trials[0].config) not in left


def test_each_cell_of_a_scale_has_the_whole_grid():
    scale = Scale([{"w": 32}, {"w": 64}], w=(32, 1024))
    space = Space({"a": Choice(["x", "y"]), "n": Int(1, 3)})
    script = Script(Problem(space, Objective("loss"), scale=scale))
    for w in (32.0, 64.0):
        at = Fidelity(scale={"w": w})
        for _ in range(6):
            script.try_config(ask(script.history, Grid(), at)[0].config, loss=1.0, at=at)
        assert ask(script.history, Grid(), at) == []


def test_a_widened_space_goes_on_with_what_is_new():
    small = Space({"a": Choice(["x", "y"]), "n": Int(1, 3)})
    wide = Space({"a": Choice(["x", "y", "z"]), "n": Int(1, 3)})
    script = search(problem(small), Grid(), lambda c: float(c["n"]), 10)
    assert len(script.history.trials) == 6
    script.write(SpaceChanged(wide.to_json()))
    assert {s.config["a"] for s in ask(script.history, Grid(), n=10)} == {"z"}


def test_a_study_ends_with_its_grid():
    study = mq.Study("grid", {"n": mq.Int(1, 4)}, lambda t: t["n"], searcher="grid")
    study.run(50)
    assert sorted(t.config["n"] for t in study.history.trials) == [1, 2, 3, 4]
