"""Pasts: what earlier studies measured leads the search, and misleads it for a few trials."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from maquette.errors import StudyError
from maquette.history import History
from maquette.past import Past, aligned
from maquette.scale import Scale
from maquette.search import GP, TPE, Auto, Forest, Portfolio, Random
from maquette.search.zeroshot import greedy, zero_shot
from maquette.space import Choice, Float, Int, Space
from maquette.surrogate.carried import Carried, learn_rest, past_models, trend
from maquette.surrogate.mixture import mixture
from maquette.surrogate.observations import observe
from maquette.surrogate.protocol import Predictive
from maquette.surrogate.scores import normal_scores
from maquette.testing.problems import NESTED, nested, problem
from maquette.testing.script import Script, ask, search
from maquette.trial import Job

SPACE = Space(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "layers": Int(1, 8),
        "kind": Choice(["a", "b", None]),
        "momentum": Float(0.0, 1.0, when={"kind": "b"}),
    }
)


def loss(config, away=0.0):
    value = (np.log10(config["lr"]) + 2.0 - away) ** 2 + 0.1 * (config["layers"] - 4) ** 2
    return float(value + {"a": 0.3, "b": 0.0}.get(config["kind"], 0.5))


def past_of(function, name="old", n=40, space=SPACE):
    configs = space.sample(np.random.default_rng(3), n)
    return Past(name, tuple(configs), tuple(float(function(c)) for c in configs))


@pytest.fixture(scope="module")
def related():
    return past_of(lambda c: 100 + 7 * loss(c, away=0.2))


def test_a_past_survives_json(related):
    given = (related, Past("none", ({"kind": None, "x": 1}, {"lr": 0.1}), (1.0, 2.0)))
    again = tuple(Past.from_json(past.to_json()) for past in given)
    assert again == given
    assert [dict(c) for c in again[1].configs] == [{"kind": None, "x": 1}, {"lr": 0.1}]


def test_what_lies_outside_a_range_is_placed_outside_and_tried_at_the_end():
    past = Past(
        "old",
        ({"lr": 10.0, "layers": 4.0, "kind": "A", "momentum": 0.5, "theirs": 3}, {"layers": 2},
         {"lr": 0.1, "kind": "gone"}, {"lr": -1.0}, {"lr": "fast"}),
        (1.0, 2.0, 3.0, 4.0, 5.0),
    )  # fmt: skip
    known = aligned(past, SPACE)
    assert known.losses.tolist() == [1.0, 2.0]
    assert known.X[0, 0] == pytest.approx(1.25)
    assert known.configs[0] == {"lr": 1.0, "layers": 4, "kind": "a"}
    assert known.configs[1]["lr"] == SPACE.defaults()["lr"]
    for config in known.configs:
        SPACE.check(config)


def test_only_the_order_of_losses_counts():
    scores = normal_scores([3.0, 1.0, 1e9, 3.0])
    assert scores[0] == scores[3]
    assert np.argsort(scores).tolist()[0] == 1
    assert np.array_equal(scores, normal_scores([0.3, 0.1, 0.4, 0.3]))


@pytest.mark.parametrize("seed", range(20))
def test_a_greedy_portfolio_is_near_the_best_one(seed):
    errors = np.random.default_rng(seed).random((15, 30))
    rank = errors.argsort(axis=1).argsort(axis=1) + 1.0
    gain = lambda s: 30.0 - rank[:, list(s)].min(axis=1).mean()  # noqa: E731
    best = max(gain(s) for s in itertools.combinations(range(30), 3))
    assert gain(greedy(errors, 3)) >= (1 - 1 / np.e) * best


def test_a_portfolio_of_five_beats_the_best_config_on_average_where_tasks_form_clusters():
    rng = np.random.default_rng(0)
    centre = rng.random((3, 2))
    tasks = [centre[i % 3] + 0.02 * rng.standard_normal(2) for i in range(18)]
    configs = rng.random((60, 2))
    errors = np.array([((configs - t) ** 2).sum(axis=1) for t in tasks])
    alone, five = [], []
    for i in range(18):
        rest = np.delete(errors, i, axis=0)
        rank = rest.argsort(axis=1).argsort(axis=1)
        alone.append(errors[i, rank.mean(axis=0).argmin()])
        five.append(errors[i, greedy(rest, 5)].min())
    assert np.mean(five) < 0.5 * np.mean(alone)


def test_a_portfolio_ends_when_no_config_helps():
    assert greedy(np.array([[3.0, 1.0, 2.0], [5.0, 4.0, 6.0]]), 3) == [1]
    assert greedy(np.empty((2, 0)), 3) == []


def test_the_zero_shot_portfolio_covers_pasts_that_measured_different_configs():
    near, far = past_of(loss), past_of(lambda c: loss(c, away=1.5), "far")
    found = zero_shot(SPACE, None, (near, far), 3)
    assert min(loss(c) for c in found) < 0.4
    assert min(loss(c, away=1.5) for c in found) < 0.4


def test_a_past_that_orders_results_well_gains_weight_and_others_lose_it(related):
    shuffled = Past("noise", related.configs, tuple(np.random.default_rng(1).random(40)))
    other = past_of(lambda c: -loss(c), "opposite")
    script = search(problem(SPACE), Random(), loss, 14)
    asked = replace(problem(SPACE), past=(related, shuffled, other))
    seen = observe(asked, script.history.finished)
    why = trend(asked, seen.points, seen.y).why()
    assert why["past old"] > 0.5
    assert why["past opposite"] == 0.0
    assert why["past noise"] < 0.2
    none = trend(asked, seen.points.take(np.arange(0)), np.empty(0))
    assert set(none.weights) == {0.7 / 3}


def test_a_posterior_on_a_trend_is_one(related):
    script = search(problem(SPACE), Random(), loss, 8)
    asked = replace(problem(SPACE), past=(related,))
    seen = observe(asked, script.history.finished)
    carried = trend(asked, seen.points, seen.y)
    theta = learn_rest(asked, script.history.finished)
    posterior = Carried(mixture(theta, seen.points, seen.y - carried(seen.points)), carried)
    assert isinstance(posterior, Predictive)
    mean, variance = posterior.predict(seen.points)
    assert np.allclose(mean, seen.y, atol=0.5)
    at = seen.points.take(np.array([2]))
    value, _, slope, _ = posterior.gradient(at)
    assert value == pytest.approx(mean[2])
    moved = at.Z.copy()
    moved[0, 0] += 1e-6
    there = posterior.predict(type(at)(moved, at.group, at.cell))[0][0]
    assert (there - value) / 1e-6 == pytest.approx(slope[0], rel=1e-2, abs=1e-3)
    assert posterior.weight @ posterior.each(at)[0][:, 0] == pytest.approx(mean[2])
    assert posterior.weight @ posterior.slopes(at)[2] == pytest.approx(slope)
    believed = posterior.believing(at).predict(at)
    assert believed[0][0] == pytest.approx(mean[2])
    assert believed[1][0] <= variance[2]


@pytest.mark.parametrize("make", [GP, TPE, Forest, Auto])
def test_the_best_config_of_the_past_comes_first_then_the_default(make, related):
    script = search(replace(problem(SPACE), past=(related,)), make(), loss, 5)
    trials = script.history.trials
    assert [t.origin.removeprefix("auto:") for t in trials[:2]] == ["past", "default"]
    assert loss(trials[0].config) < 0.5
    assert trials[1].config == SPACE.defaults()


def test_a_related_past_saves_trials_and_is_told(related):
    warm = search(replace(problem(SPACE), past=(related,)), GP(), loss, 6).history
    cold = search(problem(SPACE), GP(), loss, 6).history
    assert warm.finished.loss.min() < cold.finished.loss.min()
    assert warm.trials[-1].why["past old"] > 0.3


def test_a_misleading_past_is_dropped_and_the_usual_design_goes_on():
    wrong = past_of(lambda c: -loss(c), "wrong")
    history = search(replace(problem(SPACE), past=(wrong,)), GP(), loss, 10).history
    assert [t.origin for t in history.trials][:5] == ["past", "default", *["sobol"] * 3]
    assert history.trials[-1].why["past wrong"] == 0.0
    assert history.finished.loss.min() < 1.0


def test_a_past_of_another_space_in_a_study_with_a_scale():
    past = Past(
        "old", tuple({"lr": 10.0**-i, "w": i} for i in range(8)), tuple(map(float, range(8)))
    )
    asked = replace(problem(NESTED), past=(past,), scale=Scale(width=(64, 1024)))
    (model,) = past_models(NESTED, asked.scale, asked.past)
    assert len(model.columns) == 1
    assert ask(History(asked), GP())[0].config["lr"] == pytest.approx(0.1)


def test_pasts_that_say_nothing_change_nothing():
    empty = (
        Past("two", ({"lr": 0.1}, {"lr": 0.2}), (1.0, 2.0)),
        Past("flat", tuple({"lr": 0.1 * i} for i in range(1, 6)), (1.0,) * 5),
        Past("still", ({"lr": 0.1},) * 5, (1.0, 2.0, 3.0, 4.0, 5.0)),
    )
    asked = replace(problem(SPACE), past=empty)
    warm, cold = search(asked, GP(), loss, 7), search(problem(SPACE), GP(), loss, 7)
    assert [t.config for t in warm.history.trials] == [t.config for t in cold.history.trials]


def test_a_fresh_instance_suggests_the_same(related):
    asked = replace(problem(SPACE), past=(related, past_of(lambda c: -loss(c), "wrong")))
    for make in (GP, Portfolio):
        warm, script = make(), Script(asked)
        for _ in range(7):
            a, b = ask(script.history, make())[0], ask(script.history, warm)[0]
            assert (a.config, dict(a.why)) == (b.config, dict(b.why))
            script.end(script.propose(Job(b)), loss(b.config))


def test_a_portfolio_goes_before_any_searcher():
    given = [{"lr": 0.01, "layers": 3}, {"lr": 99.0}, {"kind": "b", "momentum": 0.5}]
    script = search(problem(NESTED), Portfolio([{"lr": 0.01}], then=TPE()), nested, 4)
    assert [t.origin for t in script.history.trials] == ["portfolio", *["sobol"] * 3]
    script = search(problem(SPACE), Portfolio(given, then=Random()), loss, 4)
    trials = script.history.trials
    assert [t.origin for t in trials] == ["portfolio", "portfolio", "random", "random"]
    assert trials[1].config["momentum"] == 0.5
    assert trials[1].why == {"place": 2.0}
    batch = ask(History(problem(SPACE)), Portfolio(given, size=1), n=3)
    assert next(s.origin for s in batch) == "portfolio"
    assert len(batch) == 3
    with pytest.raises(StudyError, match="size"):
        Portfolio(size=0)
