"""Several metrics and bounds: the acquisition against brute force, searches against random ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maquette.events import Ended
from maquette.history import Problem
from maquette.objective import Objective
from maquette.pareto import hypervolume
from maquette.search import GP, TPE, Auto, Random
from maquette.search.feasible import feasible
from maquette.search.hypervolume import log_ehvi
from maquette.search.scalarised import log_scalarised_ei
from maquette.space import Choice, Float, Space
from maquette.surrogate.gp import Hyperparameters, Points
from maquette.surrogate.infeasible import Verdict, infeasible
from maquette.surrogate.mixture import mixture
from maquette.surrogate.observations import observe
from maquette.surrogate.plausible import Plausible
from maquette.surrogate.refit import Refits, learn_most_probable
from maquette.testing.script import Script, ask
from maquette.trial import Job, State

GROUP = np.array([0, 1])
THETA = Hyperparameters(np.array([-0.5, 0.0]), 0.0, -4.0, -math.inf)


def points(z):
    z = np.atleast_2d(z)
    return Points(z, GROUP, np.zeros(len(z), dtype=np.intp))


def posteriors(k, seed=0):
    rng = np.random.default_rng(seed)
    data = points(rng.random((8, 2)))
    one = Plausible((THETA,), (1.0,))
    return tuple(mixture(one, data, rng.standard_normal(8)) for _ in range(k)), data


@pytest.mark.parametrize("k", [2, 3])
def test_the_expected_hypervolume_improvement_is_what_it_says(k):
    models, data = posteriors(k)
    known = np.stack([m.predict(data)[0] for m in models], axis=1)
    target = log_ehvi(models, known, 0.0)
    reference = np.array([t.max() for t in target.thresholds])
    at = points([0.4, 0.6])
    mean, variance = np.array([m.predict(at) for m in models])[:, :, 0].T
    draws = np.random.default_rng(1).standard_normal((1500, k)) * np.sqrt(variance) + mean
    before = hypervolume(known, reference)
    gains = [hypervolume(np.vstack([known, y]), reference) - before for y in draws]
    error = np.std(gains) / math.sqrt(len(gains))
    assert math.exp(target(at)[0]) == pytest.approx(np.mean(gains), abs=4 * error)


@pytest.mark.parametrize(("k", "shift"), [(2, 0.0), (3, 0.0), (2, -8.0), (4, 0.0), (4, -3.0)])
def test_gradients_also_where_hardly_any_gain_is_left(k, shift):
    models, data = posteriors(k)
    known = np.stack([m.predict(data)[0] for m in models], axis=1) + shift
    if k < 4:
        target = log_ehvi(models, known, 1e-3)
    else:
        target = log_scalarised_ei(models, known, 1e-3, np.random.default_rng(0))
    for z in np.random.default_rng(2).random((3, 2)):
        value, slope = target.gradient(points(z))
        assert value == pytest.approx(target(points(z))[0], rel=1e-9)
        numeric = [
            (target(points(z + 1e-5 * e))[0] - target(points(z - 1e-5 * e))[0]) / 2e-5
            for e in np.eye(2)
        ]
        np.testing.assert_allclose(slope, numeric, rtol=2e-3, atol=1e-4)


# --- searches ---

SPACE = Space({"x": Float(0, 1), "y": Float(0, 1), "z": Float(0, 1), "kind": Choice(["a", "b"])})


def bowls(config):
    """Two bowls with minima apart, worse for one of the kinds."""
    x, rest = config["x"], (config["y"] - 0.4) ** 2 + (config["z"] - 0.6) ** 2
    worse = 0.2 * (config["kind"] == "b")
    return {"f": (x - 0.2) ** 2 + rest + worse, "g": -((x - 0.8) ** 2 + rest + worse), "h": x}


def searched(objective, searcher, function, trials, space=SPACE, seed=0):
    script = Script(Problem(space, objective, seed=seed))
    for _ in range(trials):
        job = script.propose(Job(ask(script.history, searcher)[0]))
        record = script.history.jobs[job]
        metrics = function(script.history.trials[record.trial].config)
        finite = math.isfinite(objective.loss(metrics))
        state = State.DONE if finite else State.DIVERGED
        script.write(Ended(record.trial, job, state, metrics))
    return script.history


TWO = Objective(minimize="f", maximize="g")


def volume(history, reference=(0.5, 0.5)):
    return hypervolume(history.finished.losses, np.array(reference))


@pytest.mark.parametrize("searcher", [GP, TPE], ids=["gp", "tpe"])
def test_two_metrics_are_searched_together(searcher):
    best = 0.25 - 0.36**2 / 6  # area above the front of the two bowls
    ours = volume(searched(TWO, searcher(), bowls, 25))
    chance = np.median([volume(searched(TWO, Random(), bowls, 25, seed=s)) for s in range(3)])
    assert best > ours > chance


def test_the_reasons_name_every_metric():
    warm = Auto()
    history = searched(TWO, warm, bowls, 12)
    assert ask(history, Auto(), n=2) == ask(history, warm, n=2)
    last = history.trials[-1]
    assert last.origin == "auto:gp:log-ehvi"
    assert {"mean f", "sd f", "mean g", "sd g", "log_ehvi"} <= set(last.why)
    four = Objective(minimize=["f", "h"], maximize=["g", "k"])
    warm = GP()
    history = searched(four, warm, lambda c: {**bowls(c), "k": c["y"]}, 12)
    assert history.trials[-1].origin == "gp:log-scalarised-ei"
    assert ask(history, GP(), n=2) == ask(history, warm, n=2)


def test_a_metric_that_is_missing_or_infinite_disturbs_nothing():
    def sometimes(config):
        found = bowls(config)
        return {"f": found["f"]} if config["kind"] == "b" else {**found, "g": 1e30 * found["g"]}

    history = searched(TWO, GP(), sometimes, 16)
    kinds = [t.config["kind"] for t in history.trials[8:]]
    assert kinds.count("b") <= 4
    for searcher in (GP(), TPE()):
        for suggestion in ask(history, searcher, n=3):
            SPACE.check(suggestion.config)


# --- bounds on metrics ---

SQUARE = Space({"x": Float(0, 6), "y": Float(0, 6)})


def gardner(config):
    """The second test problem of Gardner et al. (2014); its least feasible value is -1.9 or so."""
    x, y = config["x"], config["y"]
    return {"loss": math.sin(x) + y, "c": math.sin(x) * math.sin(y)}


BOUND = Objective("loss", constraints={"c": "<= -0.95"})


def best_feasible(history):
    finished = history.finished
    kept = ~(finished.violation > 0)
    return float(finished.loss[kept].min()) if kept.any() else math.inf


def test_a_small_feasible_region_is_found_and_searched():
    """0.8 % of the square is feasible; the least loss in it is 0.28 or so."""
    assert best_feasible(searched(BOUND, GP(), gardner, 30, SQUARE)) < 0.6


def test_the_model_of_a_bound_knows_where_it_holds():
    history = searched(Objective("loss", constraints={"c": "<= 0"}), Random(), gardner, 40, SQUARE)
    finished = history.finished
    seen = observe(history.problem, finished)
    chance = feasible(
        history.problem, finished, seen, np.empty((1, 0)), Refits(learn_most_probable)
    )
    assert chance is not None
    assert chance.success is None
    configs = SQUARE.sample(np.random.default_rng(9), 200)
    X, active = SQUARE.encode_many(configs)
    holds = np.array([gardner(c)["c"] <= 0 for c in configs])
    likely = np.exp(chance(seen.place(X, active, np.empty((200, 0))))) > 0.5
    assert (likely == holds).mean() > 0.9


def test_a_bound_on_a_metric_of_two_values_is_a_label():
    objective = Objective("loss", constraints={"valid": ">= 1"})

    def run(config):
        return {"loss": -config["x"], "valid": float(config["x"] < 4)}

    history = searched(objective, GP(), run, 25, SQUARE)
    assert 3.5 < -best_feasible(history) < 4


def test_while_nothing_is_feasible_the_search_is_for_what_might_be():
    history = searched(Objective("loss", constraints={"c": "<= -2"}), GP(), gardner, 14, SQUARE)
    last = history.trials[-1]
    assert last.origin == "gp:log-feasibility"
    assert 0 <= last.why["feasible"] <= 1
    reached = [gardner(t.config)["c"] for t in history.trials]
    assert min(reached) < -0.8
    assert len({tuple(t.config.values()) for t in history.trials}) == 14


def test_infeasibility_is_declared_when_it_is_certain_and_not_before():
    def at_most(bound, trials):
        objective = Objective("loss", constraints={"c": f"<= {bound}"})
        return infeasible(searched(objective, Random(), gardner, trials, SQUARE))

    assert at_most(-2, 40) == Verdict(certain=True, worst="c")
    assert at_most(-0.999, 14) == Verdict(certain=False, worst="c")
    assert at_most(0, 12) is None
    assert at_most(-2, 11) is None
