"""Evolution: what it promises beyond the contract."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maquette.errors import StudyError
from maquette.events import Ended
from maquette.history import Problem
from maquette.objective import Objective
from maquette.pareto import hypervolume
from maquette.search import Genetic, Random
from maquette.search.climb import pool
from maquette.search.genetic import crossed, mutated
from maquette.space import Choice, Float, Int, Space
from maquette.testing.problems import problem
from maquette.testing.script import Script, ask, search
from maquette.trial import Job, State

PLANE = Space({"x": Float(0, 1), "y": Float(0, 1)})


def layered(deepest):
    """A network whose every layer has a width of its own."""
    return Space(
        {
            "depth": Int(1, deepest, default=2),
            **{f"w{i}": Float(0, 1, when={"depth": (i, deepest)}) for i in range(1, deepest + 1)},
            "kind": Choice(["a", "b", "c"]),
        }
    )


def network(config):
    """Six layers are best, each with a width of its own."""
    depth = config["depth"]
    loss = 0.05 * (depth - 6) ** 2 + 0.3 * (config["kind"] != "b")
    return loss + sum(abs(config[f"w{i}"] - 0.12 * i) for i in range(1, depth + 1)) / depth


def test_what_is_wrong_with_the_settings_is_said_at_once():
    with pytest.raises(StudyError, match="Did you mean 'age'") as caught:
        Genetic(population=1, tournament=0, crossover=2.0, survival="ages")
    assert len(caught.value.problems) == 4


def test_children_of_parents_of_different_lengths_are_configs():
    space, rng = layered(8), np.random.default_rng(0)
    parents = [c for c in space.sample(rng, 200) if c["depth"] in (3, 5)][:20]
    X, active = space.encode_many(parents)
    mother, father = rng.integers(len(parents), size=(2, 1000))
    drawn = rng.random((1000, len(space)))
    genes = crossed((X[mother], active[mother]), (X[father], active[father]), drawn, rng)
    found = pool(space, genes)
    assert len(found.X) == 1000
    for config in space.from_unit(genes):
        space.check(config)
        assert config["depth"] in (3, 5)
    # Every gene that a parent shows comes from a parent.
    shown = active[mother] | active[father]
    close = np.isclose(genes, X[mother]) | np.isclose(genes, X[father])
    assert (close | ~shown).all()
    changed = mutated(space, genes, shown, drawn, rng)
    assert (changed != genes).any(axis=1).all()
    assert ((changed >= 0) & (changed <= 1)).all()


@pytest.mark.slow
def test_it_grows_to_the_depth_that_is_best():
    def deepest(seed):
        script = search(problem(layered(8), seed), Genetic(), network, 150)
        return min(script.history.trials, key=lambda t: t.loss).config["depth"]

    found = [deepest(seed) for seed in range(10)]
    assert found.count(6) >= 8  # with three layers at most the loss is 0.45 or more


@pytest.mark.parametrize("survival", ["rank", "age"])
def test_it_beats_random_search_on_its_home_ground(survival):
    def best(searcher, seed):
        return search(problem(layered(8), seed), searcher, network, 60).history.finished.loss.min()

    ours = [best(Genetic(survival=survival), seed) for seed in range(3)]
    chance = [best(Random(), seed) for seed in range(3)]
    assert max(ours) < min(chance)


def test_only_the_last_trials_live_in_an_ageing_population():
    script = Script(problem(PLANE))
    script.try_config({"x": 0.1, "y": 0.1}, loss=0.0)
    for i in range(20):
        script.try_config({"x": 0.9, "y": 0.8 + 0.005 * i}, loss=1.0 + i)

    def near(survival):
        searcher = Genetic(tournament=20, crossover=0.0, survival=survival)
        return [s.config["x"] < 0.5 for s in ask(script.history, searcher, n=20)]

    assert sum(near("rank")) > 15
    assert sum(near("age")) < 5


def test_several_metrics_are_searched_together():
    """Two bowls: the front is the line between their bottoms."""
    space = Space({**PLANE, "z": Float(0, 1), "c": Choice(list("abcd"))})

    def both(config):
        beside = 0.5 * config["z"] + 0.1 * "dbca".index(config["c"])
        return [(config["x"] - a) ** 2 + (config["y"] - a) ** 2 + beside for a in (0.2, 0.8)]

    def missed(searcher, seed):
        script = Script(Problem(space, Objective(minimize=["f", "g"]), seed=seed))
        for _ in range(70):
            (suggestion,) = ask(script.history, searcher)
            f, g = both(suggestion.config)
            job = script.propose(Job(suggestion))
            script.write(Ended(script.history.jobs[job].trial, job, State.DONE, {"f": f, "g": g}))
        t = np.linspace(0.2, 0.8, 300)
        front = np.stack([2 * (t - 0.2) ** 2, 2 * (t - 0.8) ** 2], axis=1)
        found = script.history.finished.losses
        return hypervolume(front, np.ones(2)) - hypervolume(found, np.ones(2))

    assert missed(Genetic(), 0) < 0.6 * missed(Random(), 0)


def test_failures_come_last_and_a_design_goes_on_while_nothing_works():
    script = search(problem(PLANE), Genetic(), lambda _: math.nan, 30)
    assert {t.origin for t in script.history.trials} == {"default", "sobol"}
    script = search(
        problem(PLANE), Genetic(), lambda c: math.nan if c["x"] > 0.4 else 1 - c["x"], 60
    )
    late = [t.config["x"] for t in script.history.trials[-20:]]
    assert 0.2 < np.median(late) <= 0.45


def test_a_finite_space_is_exhausted_before_anything_is_repeated():
    space = Space({"a": Choice(["x", "y", "z"]), "n": Int(1, 6)})
    script = search(problem(space), Genetic(), lambda c: c["n"] + len(c["a"]), 20)
    tried = [space.key(t.config) for t in script.history.trials]
    assert len(set(tried[:18])) == 18


def test_a_batch_larger_than_the_population():
    script = search(problem(PLANE), Genetic(), lambda c: c["x"], 15)
    batch = [PLANE.key(s.config) for s in ask(script.history, Genetic(), n=50)]
    assert len(set(batch)) == 50
