"""FLOW2, CFO and BlendSearch: frugal from a cheap start."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from maquette.errors import StudyError
from maquette.search import CFO, BlendSearch
from maquette.search.blendsearch import Account
from maquette.search.machine import folded
from maquette.space import Choice, Float, Int, Space
from maquette.testing.problems import problem
from maquette.testing.script import Script, ask, search
from maquette.trial import Job, State

COSTLY = Space({f"x{i}": Float(0, 1, default=0.5 if i else 0.0) for i in range(5)})
PLANE = Space({"x": Float(0, 1), "y": Float(0, 1)})
MIXED = Space(
    {
        **{f"x{i}": Float(0, 1) for i in range(3)},
        "n": Int(0, 40),
        "width": Int(1, 512, log=True),
        **{f"c{i}": Choice(["a", "b", "c", "d"]) for i in range(2)},
    }
)


def ackley(config):
    """The optimum is where trials cost most."""
    z = (np.array(list(config.values())) - np.array([0.85, 0.4, 0.4, 0.4, 0.4])) * 20
    far = math.exp(-0.2 * math.sqrt((z * z).mean()))
    return float(20 + math.e - 20 * far - math.exp(np.cos(2 * np.pi * z).mean()))


def price(config):
    return math.exp(3 * config["x0"])


def mixed(config):
    loss = sum((config[f"x{i}"] - 0.3) ** 2 for i in range(3)) + ((config["n"] - 29) / 40) ** 2
    loss += 0.1 * (math.log(config["width"]) - math.log(90)) ** 2
    return loss + 0.3 * sum("dbca".index(config[f"c{i}"]) for i in range(2))


def costs(searcher, trials, seed):
    """Return what each trial cost, and the losses."""
    script = Script(problem(COSTLY, seed))
    for _ in range(trials):
        (suggestion,) = ask(script.history, searcher)
        job = script.propose(Job(suggestion))
        script.end(job, ackley(suggestion.config), cost=price(suggestion.config))
    return script.history.finished.cost, script.history.finished.loss


@pytest.mark.parametrize("make", [CFO, BlendSearch])
def test_the_first_trials_are_cheap(make):
    first = [costs(make(), 5, seed)[0].max() for seed in range(5)]
    assert statistics.median(first) < 2.0  # times the cheapest of all configs


@pytest.mark.parametrize("make", [CFO, BlendSearch])
def test_numbers_and_choices_together(make):
    script = search(problem(MIXED), make(), mixed, 150)
    assert script.history.finished.loss.min() < 0.02


def test_it_converges_on_a_quadratic_and_begins_again_elsewhere():
    space = Space({f"x{i}": Float(0, 1) for i in range(5)})
    script = search(problem(space), CFO(), lambda c: sum((x - 0.37) ** 2 for x in c.values()), 160)
    restarts = [t.why.get("restarts", 0.0) for t in script.history.trials]
    assert restarts[149] >= 1  # within 30 d trials
    assert script.history.finished.loss.min() < 1e-4
    assert folded(CFO(), script.history).restarts >= 1


def test_the_opposite_of_what_did_not_pay_comes_next():
    script = Script(problem(PLANE))
    script.try_config({"x": 0.5, "y": 0.5}, loss=1.0)
    script.try_config({"x": 0.6, "y": 0.55}, loss=2.0)
    config = ask(script.history, CFO())[0].config
    assert (config["x"], config["y"]) == (pytest.approx(0.4), pytest.approx(0.45))
    script.try_config(config, loss=3.0)
    again = ask(script.history, CFO())[0].config
    assert math.dist(again.values(), (0.5, 0.5)) == pytest.approx(0.1 * math.sqrt(2), rel=1e-6)


def test_it_goes_on_from_a_better_config_of_the_users():
    script = Script(problem(PLANE))
    script.try_config({"x": 0.5, "y": 0.5}, loss=1.0)
    script.try_config({"x": 0.9, "y": 0.1}, loss=0.5)
    for suggestion in ask(script.history, CFO(), n=6):
        assert math.dist(suggestion.config.values(), (0.9, 0.1)) < 0.2


def test_amid_failures_it_walks_until_something_works():
    def run(config):
        return math.nan if config["x"] < 0.75 else config["y"]

    script = search(problem(PLANE), CFO(), run, 80)
    states = [t.state for t in script.history.trials]
    assert State.DONE in states
    assert script.history.finished.loss[script.history.finished.ok].min() < 0.2


def test_a_batch_steps_in_several_directions():
    script = search(problem(PLANE), BlendSearch(), lambda c: c["x"] + c["y"], 5)
    batch = ask(script.history, BlendSearch(), n=20)
    assert len({tuple(s.config.values()) for s in batch}) == 20


def test_good_results_of_the_global_search_begin_local_ones():
    script = Script(problem(PLANE))
    script.try_config({"x": 0.1, "y": 0.1}, loss=1.0)
    script.try_config({"x": 0.9, "y": 0.9}, loss=0.5)
    script.try_config({"x": 0.1, "y": 0.9}, loss=3.0)
    state = folded(BlendSearch(), script.history)
    assert sorted(tuple(ball.row) for ball in state.balls) == [(0.1, 0.1), (0.9, 0.9)]
    script.try_config({"x": 0.88, "y": 0.9}, loss=0.4)
    state = folded(BlendSearch(), script.history)
    assert sorted(tuple(ball.row) for ball in state.balls) == [(0.1, 0.1), (0.88, 0.9)]


def test_the_account_of_a_search():
    """Speed and estimated cost to improve, by hand."""
    account = Account().after(2.0, 10.0).after(3.0, 11.0).after(1.0, 6.0).after(4.0, 7.0)
    assert account == Account(10.0, 6.0, 10.0, 6.0, 2.0)
    assert account.speed(1) == pytest.approx((10 - 6) / (10 - 2))
    assert account.speed(2) == pytest.approx(0.25)
    assert account.to_improve(6.0, 0.5) == 4.0
    assert account.to_improve(4.0, 0.5) == 8.0


def test_what_is_wrong_is_said():
    for make in (CFO, BlendSearch):
        with pytest.raises(StudyError, match="at least 1"):
            make(patience=0)
