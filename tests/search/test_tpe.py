"""The tree-structured Parzen estimator's own promises."""

from __future__ import annotations

import numpy as np
import pytest

from maquette.errors import StudyError
from maquette.events import Ended
from maquette.history import Problem
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.search import TPE
from maquette.search.standing import ranks
from maquette.search.tpe import split
from maquette.space import Choice, Float, Space
from maquette.testing.problems import problem
from maquette.testing.script import Script, ask, search
from maquette.trial import Job, State

SQUARE = Space({"x": Float(0, 1), "y": Float(0, 1)})


def test_what_is_wrong_with_the_settings_is_said_at_once():
    with pytest.raises(StudyError) as caught:
        TPE(initial=1, gamma=1.0, candidates=0)
    assert len(caught.value.problems) == 3


def finished(losses, violations=None, states=None, scales=None):
    """Return columns of trials of one dimension, made by hand."""
    from maquette.columns import Finished

    n = len(losses)
    return Finished(
        trial=np.arange(n),
        X=np.linspace(0, 1, n)[:, None],
        active=np.ones((n, 1), dtype=bool),
        losses=np.array(losses, dtype=float)[:, None],
        scale=np.array(scales or [[]] * n, dtype=float).reshape(n, -1),
        excess=np.array(violations or [0.0] * n)[:, None],
        cost=np.ones(n),
        state=np.array(states or [State.DONE] * n, dtype=object),
    )


def test_results_come_before_broken_constraints_and_those_before_failures():
    nan = float("nan")
    rank = ranks(finished([3.0, 1.0, 0.0, 0.5, nan], [0.0, 0.0, 2.0, 0.1, nan]))
    assert np.argsort(rank).tolist() == [1, 0, 3, 2, 4]
    assert rank[4] == np.inf


def test_cells_are_ranked_within_themselves():
    rank = ranks(finished([10.0, 11.0, 1.0, 2.0], scales=[[1.0], [1.0], [2.0], [2.0]]))
    assert rank[0] == rank[2] < rank[1] == rank[3]


def test_the_good_ones_weigh_by_rank():
    good, weight, bad = split(finished([4.0, 1.0, 3.0, 2.0]), gamma=0.5)
    assert good.tolist() == [1, 3]
    assert weight.tolist() == pytest.approx([4 / 3, 2 / 3])
    assert sorted(bad.tolist()) == [0, 2]
    assert len(split(finished([1.0, float("nan")]), gamma=0.9)[0]) == 1


def test_constraints_on_metrics_are_kept():
    space = Space({"x": Float(0, 1)})
    objective = Objective(minimize=["loss"], constraints={"mem": "<= 0.5"})
    script = Script(Problem(space, objective, seed=0))
    for _ in range(40):
        (s,) = ask(script.history, TPE())
        job = script.propose(Job(s))
        x = s.config["x"]
        script.write(Ended(len(script.history.trials) - 1, job, State.DONE, {"loss": -x, "mem": x}))
    last = [t.config["x"] for t in script.history.trials[-10:]]
    assert 0.4 < np.median(last) < 0.6


def test_good_pairs_stay_together():
    """Two settings that must agree: a density of each alone would not know."""
    space = Space({"a": Choice(["l", "r"]), "x": Float(0, 1)})

    def loss(config):
        return abs(config["x"] - (0.2 if config["a"] == "l" else 0.8))

    script = search(problem(space, 1), TPE(), loss, 60)
    late = script.history.finished.loss[30:]
    assert np.median(late) < 0.1


def test_many_at_once_are_different():
    script = search(problem(SQUARE, 0), TPE(), lambda c: c["x"] + c["y"], 20)
    batch = ask(script.history, TPE(), n=8)
    assert len({tuple(s.config.values()) for s in batch}) == 8
    assert all(s.origin == "tpe" and s.why["good"] == 3 for s in batch)


def test_proxies_of_two_scales_teach_one_density():
    scale = Scale([{"width": 8}, {"width": 64}], width=(8, 512))
    one = Problem(SQUARE, Objective("loss"), scale=scale, seed=0)
    script = search(one, TPE(), lambda c: (c["x"] - 0.3) ** 2 + (c["y"] - 0.7) ** 2, 40)
    assert script.history.finished.loss.min() < 0.02
