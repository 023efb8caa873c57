"""Differential evolution: what it promises beyond the contract."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maquette.errors import StudyError
from maquette.search import DE
from maquette.search.machine import Told, folded
from maquette.space import Choice, Float, Int, Space
from maquette.testing.problems import problem
from maquette.testing.script import Script, ask, search
from maquette.trial import Job, State, Suggestion

PLANE = Space({"x": Float(0, 1), "y": Float(0, 1)})
BITS = Space({**{f"b{i}": Choice([0, 1]) for i in range(6)}, "n": Int(1, 30), "x": Float(0, 1)})


def count(config):
    return 6 - sum(config[f"b{i}"] for i in range(6)) + abs(config["n"] - 23) / 5 + config["x"]


def test_what_is_wrong_with_the_settings_is_said_at_once():
    with pytest.raises(StudyError) as caught:
        DE(population=3, F=(0.9, 0.4), CR=0.0)
    assert len(caught.value.problems) == 3


def test_numbers_and_choices_together():
    script = search(problem(BITS), DE(), count, 220)
    best = min(script.history.trials, key=lambda t: t.loss).config
    assert all(best[f"b{i}"] == 1 for i in range(6))
    assert (best["n"], best["x"]) == (23, pytest.approx(0.0, abs=0.02))


def test_only_ranks_matter():
    one = search(problem(BITS), DE(), count, 40)
    other = search(problem(BITS), DE(), lambda c: math.expm1(3 * count(c)), 40)
    assert [t.config for t in one.history.trials] == [t.config for t in other.history.trials]


def test_workers_that_answer_in_order_are_no_matter_of_the_order_of_asking():
    """Results compete for the places that their numbers name, whoever is there by then."""
    late = search(problem(BITS, 1), DE(), count, 220, workers=10)
    assert late.history.finished.loss.min() < 0.5


def test_a_child_takes_the_place_of_its_parent_if_it_is_no_worse():
    de, history = DE(population=4), Script(problem(PLANE)).history
    state = de.init(history.problem)
    on = np.ones(2, dtype=bool)
    for trial, loss in enumerate([4.0, 3.0, 2.0, 1.0]):
        state = de.step(state, Told(trial, np.full(2, 0.1 * trial), on, (0, loss)))
    state = de.step(state, Told(9, np.full(2, 0.7), on, (0, 3.5)))
    assert state.X[1].tolist() == [0.1, 0.1]
    state = de.step(state, Told(13, np.full(2, 0.8), on, (0, 3.0)))
    assert state.X[1].tolist() == [0.8, 0.8]
    state = de.step(state, Told(17, np.full(2, 0.9), on, (3, 0.0)))
    assert state.X[1].tolist() == [0.8, 0.8]


def test_who_was_stopped_later_stands_before_who_was_stopped_sooner():
    script = Script(problem(PLANE))
    for steps, loss, end in ((3, 0.5, "stopped"), (9, 0.9, "stopped"), (9, 0.7, "stopped")):
        job = script.propose(Job(Suggestion({"x": 0.1 * loss, "y": 0.5})))
        script.report(job, float(steps), loss)
        script.end(job, state=State(end))
    script.try_config({"x": 0.9, "y": 0.9}, state=State.OOM)
    script.try_config({"x": 0.8, "y": 0.8}, loss=5.0)
    state = folded(DE(), script.history)
    assert state.order.tolist() == [4, 2, 1, 0, 3]


def test_trials_that_wait_at_a_rung_compete():
    script = Script(problem(PLANE))
    for i in range(10):
        job = script.propose(Job(Suggestion({"x": 0.7 + 0.01 * i, "y": 0.7}), final=False))
        script.report(job, 1.0, 1.0 + i)
        script.end(job, 1.0 + i)
    found = np.array([list(s.config.values()) for s in ask(script.history, DE(), n=5)])
    assert {s.origin for s in ask(script.history, DE())} == {"de"}
    assert np.abs(found - 0.72).max() < 0.15


def test_a_batch_larger_than_the_population_and_a_budget_smaller_than_it():
    script = search(problem(BITS), DE(), count, 25)
    batch = [BITS.key(s.config) for s in ask(script.history, DE(), n=64)]
    assert len(set(batch)) == 64
    script = search(problem(BITS), DE(population=50), count, 20)
    assert {t.origin for t in script.history.trials} == {"default", "sobol"}


def test_what_users_told_is_part_of_the_population():
    script = Script(problem(PLANE))
    for x in np.random.default_rng(0).normal(0.8, 0.02, (10, 2)):
        script.try_config({"x": x[0], "y": x[1]}, loss=float(((x - 0.8) ** 2).sum()))
    children = np.array([list(s.config.values()) for s in ask(script.history, DE(), n=8)])
    assert np.abs(children - 0.8).max() < 0.12


def test_it_starts_again_when_it_has_converged():
    def loss(c):
        return (c["x"] - 0.3) ** 2 + (c["y"] - 0.6) ** 2

    script = search(problem(PLANE), DE(), loss, 330)
    assert script.history.finished.loss.min() < 1e-8
    assert folded(DE(), script.history).restarts >= 1
    assert len(folded(DE(), script.history).filled) > 1


def test_a_finite_space_is_exhausted_before_anything_is_repeated():
    space = Space({"a": Choice(["x", "y", "z"]), "n": Int(1, 6)})
    script = search(problem(space), DE(), lambda c: c["n"] + len(c["a"]), 20)
    tried = [space.key(t.config) for t in script.history.trials]
    assert len(set(tried[:18])) == 18
