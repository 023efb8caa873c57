"""The cross-entropy method: what it promises beyond the contract."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maquette.errors import StudyError
from maquette.search import CEM
from maquette.search.machine import Told, folded
from maquette.space import Choice, Float, Int, Space
from maquette.testing.problems import problem
from maquette.testing.script import Script, ask, search

CUBE = Space({f"x{i}": Float(0, 1) for i in range(5)})
MIXED = Space(
    {
        "x": Float(0, 1),
        "n": Int(0, 40),
        "c": Choice(["a", "b", "c", "d"]),
        "m": Float(0, 1, when={"c": ["b", "c"]}),
    }
)


def mixed(config):
    loss = (config["x"] - 0.3) ** 2 + ((config["n"] - 29) / 40) ** 2
    return loss + 0.3 * "bcad".index(config["c"]) + (config.get("m", 0.0) - 0.8) ** 2


def sphere(x):
    return float(((x - 0.37) ** 2).sum())


def ackley(x):
    z = (x - 0.37) * 20
    far = math.exp(-0.2 * math.sqrt((z * z).mean()))
    return float(20 + math.e - 20 * far - math.exp(np.cos(2 * np.pi * z).mean()))


def after(cem, function, generations, seed):
    """Return the distribution after some generations of its own draws."""
    state, rng, on = cem.init(problem(CUBE, seed)), np.random.default_rng(seed), np.ones(5, bool)
    for trial in range(generations * cem.population):
        x = state.draw(rng, 1)[0] if state.generation else rng.random(5)
        state = cem.step(state, Told(trial, x, on, (0, function(x))))
    return state


def test_what_is_wrong_with_the_settings_is_said_at_once():
    with pytest.raises(StudyError) as caught:
        CEM(population=3, rho=1.0, alpha=0.0, floor=-1.0)
    assert len(caught.value.problems) == 4


def test_it_arrives_on_a_sphere():
    for seed in range(3):
        state = after(CEM(population=50, rho=0.2), sphere, 15, seed)
        assert np.linalg.norm(state.elite[0].x - 0.37) < 0.02


def test_without_a_floor_it_collapses_before_it_has_arrived():
    def left(alpha, floor):
        states = [after(CEM(alpha=alpha, floor=floor), ackley, 25, seed) for seed in range(3)]
        return [ackley(s.elite[0].x) for s in states], [s.sd.max() for s in states]

    losses, spread = left(1.0, 0.0)
    kept, wide = left(0.7, 0.1)
    assert max(spread) < 1e-4  # nothing would change any more
    assert min(wide) >= 0.1 / 25
    assert np.median(kept) < 0.5 * np.median(losses)


def test_numbers_choices_and_conditions_together():
    script = search(problem(MIXED), CEM(), mixed, 120)
    assert script.history.finished.loss.min() < 0.02
    state = folded(CEM(), script.history)
    assert np.argmax(state.q[2]) == 1
    assert state.q[2].min() >= 0.1 / 4
    assert state.q[2].sum() == pytest.approx(1.0)


def test_choices_become_surer():
    """The entropy of a choice that matters falls, and one that does not keeps its values."""
    space = Space({"good": Choice(list("abcd")), "idle": Choice(list("abcd")), "x": Float(0, 1)})
    script = search(problem(space), CEM(), lambda c: "bcad".index(c["good"]) + c["x"], 130)
    q = folded(CEM(), script.history).q

    def entropy(p):
        return -float((p * np.log(p)).sum())

    assert entropy(q[0]) < 0.5 * math.log(4)
    assert (q[1] > 0).all()


def test_only_ranks_matter_and_where_all_are_alike_nothing_is_learned():
    one = search(problem(MIXED), CEM(), mixed, 40)
    other = search(problem(MIXED), CEM(), lambda c: math.expm1(9 * mixed(c)), 40)
    assert [t.config for t in one.history.trials] == [t.config for t in other.history.trials]
    for loss in (1.0, math.nan):
        script = search(problem(MIXED), CEM(), lambda _, y=loss: y, 40)
        assert folded(CEM(), script.history).generation == 0


def test_it_learns_from_trials_that_it_did_not_propose():
    script = Script(problem(CUBE))
    for x in np.random.default_rng(0).normal(0.8, 0.02, (64, 5)):
        script.try_config(
            dict(zip(CUBE, x.tolist(), strict=True)), loss=float(((x - 0.8) ** 2).sum())
        )
    drawn = np.array([list(s.config.values()) for s in ask(script.history, CEM(), n=20)])
    assert np.abs(drawn.mean(axis=0) - 0.8).max() < 0.06


def test_failures_are_never_the_elite():
    script = search(problem(CUBE), CEM(), lambda c: math.nan if c["x0"] > 0.4 else 1 - c["x0"], 96)
    late = [t.config["x0"] for t in script.history.trials[-20:]]
    assert 0.2 < np.median(late) <= 0.45
