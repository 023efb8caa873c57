"""Expert priors: they lead at first, wear off, and cost little when they are wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maquette.events import SpaceChanged
from maquette.search import GP, TPE, Auto, Forest
from maquette.search.acquisition import LogEI
from maquette.search.climb import Ground
from maquette.search.expert import BETA, EPSILON, expert, log_prior, trust
from maquette.space import Choice, Float, Int, Space
from maquette.surrogate.gp import Hyperparameters
from maquette.surrogate.mixture import mixture
from maquette.surrogate.observations import observe
from maquette.surrogate.plausible import Plausible
from maquette.testing.problems import problem
from maquette.testing.script import Script, ask, search
from maquette.trial import Job

MIXED = Space(
    {
        "lr": Float(1e-4, 1.0, log=True, prior=(0.003, 2.0)),
        "optimizer": Choice(["adam", "sgd"], prior=[3.0, 1.0]),
        "momentum": Float(0.5, 0.99, prior=(0.9, 0.05), default=0.9, when={"optimizer": "sgd"}),
        "layers": Int(1, 8, prior=(3, 1.5)),
        "width": Float(0.0, 1.0),
        "constant": Float(0.2, 0.2, default=0.2),
    }
)


def _loss(config, best=-2.5):
    loss = (math.log10(config["lr"]) - best) ** 2 + 0.05 * (config["layers"] - 3) ** 2
    return loss + (config["width"] - 0.3) ** 2 + 0.3 * (config["optimizer"] == "sgd")


def test_every_other_trial_of_the_initial_design_is_drawn_from_the_priors():
    script = search(problem(MIXED), GP(initial=9), _loss, 9)
    origins = [trial.origin for trial in script.history.trials]
    assert origins == ["default", "prior", *["sobol", "prior"] * 3, "sobol"]
    centre = script.history.trials[1].config
    assert centre["lr"] == pytest.approx(0.003, rel=0.1)
    assert (centre["optimizer"], centre["layers"]) == ("adam", 3)
    assert search(problem(MIXED), TPE(), _loss, 6).history.trials[3].origin == "prior"


def test_no_config_is_ruled_out():
    X, active = MIXED.encode_many(MIXED.sample(np.random.default_rng(0), 40))
    X[:, 0] = np.linspace(0, 1, 40)
    value = log_prior(MIXED, MIXED, X, active)
    assert value.min() >= math.log(EPSILON)
    assert value.max() > 2.0


def test_trust_is_lost_where_results_speak_against_the_prior():
    value = np.arange(12.0)
    assert trust(value, -value[:, None]) == 1.0
    assert trust(value, value[:, None]) < 0.01
    assert trust(value, np.ones((12, 1))) == 1.0
    assert trust(value[:2], value[:2, None]) == 1.0
    # One of two metrics bears it out.
    assert trust(value, np.stack([value, -value], axis=1)) == 1.0


def test_the_weighed_acquisition_has_the_gradient_of_its_value():
    script = search(problem(MIXED), TPE(), _loss, 10)
    history = script.history
    seen = observe(history.problem, history.finished)
    one = Hyperparameters(np.zeros(seen.embed.groups), 0.0, -5.0, -math.inf)
    model = mixture(Plausible((one,), (1.0,)), seen.points, seen.y)
    priors = expert(history)
    target = priors.weighing(LogEI(model, np.array([-0.5])), seen.embed)
    pool = Ground(MIXED, MIXED).anywhere(np.random.default_rng(1), 6)
    for i in range(6):
        at = seen.place(pool.X[i : i + 1], pool.active[i : i + 1], np.empty((1, 0)))
        value, slope = target.gradient(at)
        assert value == pytest.approx(target(at)[0])
        for j in range(len(seen.embed.numeric)):
            moved = at.Z.copy()
            moved[0, j] += 1e-6
            there = target(type(at)(moved, at.group, at.cell))[0]
            assert (there - value) / 1e-6 == pytest.approx(slope[j], rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("make", [GP, TPE, Forest, Auto])
def test_the_weight_is_told_and_wears_off(make):
    script = search(problem(MIXED), make(), _loss, 11)
    told = [t.why for t in script.history.trials if "prior_weight" in t.why]
    weights = [why["prior_weight"] for why in told]
    assert weights
    assert weights[-1] < weights[0] <= BETA / 5
    assert all(why["log_prior"] >= math.log(EPSILON) for why in told)


def test_without_priors_nothing_is_told_or_changed():
    plain = Space({"x": Float(0, 1), "y": Float(0, 1)})
    script = search(problem(plain), GP(), lambda c: c["x"] + c["y"], 8)
    assert not any("prior_weight" in t.why for t in script.history.trials)
    assert expert(script.history) is None


def _regret(prior, trials=12):
    given = {f"x{i}": Float(0, 1, prior=prior) for i in range(4)}
    found = []
    for seed in range(3):
        script = search(
            problem(Space(given), seed), TPE(), lambda c: sum((v - 0.8) ** 2 for v in c.values()),
            trials,
        )  # fmt: skip
        found.append(script.history.finished.loss.min())
    return float(np.median(found))


def test_a_good_prior_saves_trials_and_a_wrong_one_costs_few():
    none, good = _regret(None), _regret((0.75, 0.1))
    assert good < 0.3 * none
    assert _regret((0.1, 0.1), 40) < none


def test_a_fresh_instance_suggests_the_same_also_in_a_narrowed_space():
    narrow = Space(
        {
            "lr": Float(1e-3, 1e-1, log=True, prior=(0.003, 2.0)),
            "optimizer": Choice(["adam"]),
            "layers": Int(1, 8, prior=(3, 1.5)),
            "width": Float(0.0, 1.0, default=0.5),
        }
    )
    for make in (GP, TPE, Forest):
        warm, script = make(), Script(problem(MIXED))
        for i in range(12):
            if i == 9:
                script.write(SpaceChanged(narrow.to_json()))
            a, b = ask(script.history, make())[0], ask(script.history, warm)[0]
            assert (a.config, dict(a.why)) == (b.config, dict(b.why))
            script.history.space.check(a.config)
            script.end(script.propose(Job(b)), _loss(b.config))
