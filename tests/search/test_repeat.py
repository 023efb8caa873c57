"""When a good config is measured again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maquette.search import GP
from maquette.search.repeat import gains, noisy
from maquette.space import Float, Space
from maquette.surrogate.gp import Hyperparameters, Points
from maquette.surrogate.mixture import mixture
from maquette.surrogate.plausible import Plausible
from maquette.surrogate.posterior import condition
from maquette.testing.problems import problem
from maquette.testing.script import Script, ask, search

SQUARE = Space({"x": Float(0, 1), "y": Float(0, 1)})
GROUP = np.array([0])


def points(*x):
    return Points(np.array(x)[:, None], GROUP, np.zeros(len(x), dtype=np.intp))


def posterior(noise):
    theta = Hyperparameters(np.array([-1.0]), 0.0, math.log(noise), -math.inf)
    one = Plausible((theta,), (1.0,))
    return mixture(one, points(0.1, 0.3, 0.5, 0.7), np.array([0.2, -0.6, -0.5, 0.9]))


def test_the_gain_is_the_expected_fall_of_the_lowest_mean():
    model, known, new = posterior(0.3), points(0.3, 0.5), points(0.4)
    again, fresh = gains(model, known, new)
    rng = np.random.default_rng(0)
    everywhere = known.joined(new)
    now = model.predict(known)[0].min()
    for p, found in enumerate([*again, fresh]):
        counted = known if p < 2 else everywhere
        at = everywhere.take(np.array([p]))
        mean, variance = model.predict(at)
        lows = []
        for _ in range(800):
            y = mean[0] + math.sqrt(variance[0] + 0.3) * rng.standard_normal()
            Z, values = model.points.joined(at), np.array([0.2, -0.6, -0.5, 0.9, y])
            lows.append(condition(model.members[0].theta, Z, values).predict(counted)[0].min())
        assert found == pytest.approx(now - np.mean(lows), abs=4 * np.std(lows) / math.sqrt(800))


def test_without_noise_nothing_is_learned_from_a_repetition():
    again, fresh = gains(posterior(1e-8), points(0.3, 0.5), points(0.4))
    assert again == pytest.approx([0.0, 0.0], abs=1e-6)
    assert fresh > 1e-3


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 0.6) ** 2


@pytest.fixture(scope="module")
def rough():
    """The events of a search with noise, some trial of which repeats an earlier one."""
    rng = np.random.default_rng(3)
    return search(problem(SQUARE), GP(), lambda c: bowl(c) + 0.2 * rng.standard_normal(), 18)


def test_only_what_is_noisy_is_repeated(rough):
    again = next(t for t in rough.history.trials if t.origin == "gp:repeat")
    before = rough.history.trials[: again.number]
    assert SQUARE.key(again.config) in {SQUARE.key(t.config) for t in before}
    assert again.why["gain"] > again.why["gain_new"]
    exact = search(problem(SQUARE), GP(), bowl, 14)
    assert not any("repeat" in t.origin for t in exact.history.trials)


def test_whether_to_repeat_may_be_said(rough):
    basis = next(e.body.basis for e in rough.events if getattr(e.body, "origin", "") == "gp:repeat")
    history = rough.prefix(basis)
    assert ask(history, GP())[0].origin == "gp:repeat"
    assert ask(history, GP(repeat=False))[0].origin == "gp:log-ei"
    batch = ask(history, GP(), n=3)
    assert [s.origin for s in batch] == ["gp:repeat", "gp:log-ei", "gp:log-ei"]


def test_equal_repetitions_say_that_there_is_no_noise():
    model = posterior(0.3)
    script = Script(problem(SQUARE))
    script.try_config({"x": 0.2, "y": 0.2}, loss=1.0)
    script.try_config({"x": 0.4, "y": 0.2}, loss=3.0)
    assert noisy(model, script.history.finished)
    script.try_config({"x": 0.2, "y": 0.2}, loss=1.0)
    assert not noisy(model, script.history.finished)
    script.try_config({"x": 0.4, "y": 0.2}, loss=3.5)
    assert noisy(model, script.history.finished)
    assert not noisy(posterior(1e-6), script.history.finished)
