"""What each searcher promises beyond the contract."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from maquette.errors import StudyError
from maquette.events import BudgetChanged, SpaceChanged
from maquette.fidelity import Fidelity
from maquette.history import Problem
from maquette.objective import Objective
from maquette.rng import generator
from maquette.scale import Scale
from maquette.schedule import Full
from maquette.search import (
    CEM,
    CFO,
    CMAES,
    DE,
    GP,
    TPE,
    Auto,
    BlendSearch,
    Forest,
    Genetic,
    Grid,
    Random,
    Sobol,
    by_name,
)
from maquette.search.acquisition import Constrained, LogEI, log_h
from maquette.search.climb import Ground, candidates, neighbours, pool
from maquette.search.feasible import Bound, Feasible, classifier
from maquette.space import Choice, Float, Int, Space
from maquette.surrogate.gp import Hyperparameters, Points
from maquette.surrogate.mixture import mixture
from maquette.surrogate.plausible import Plausible
from maquette.testing.problems import NESTED, branin, nested, problem
from maquette.testing.script import Script, ask, search
from maquette.trial import Job, State

SQUARE = Space({"x": Float(0, 1), "y": Float(0, 1)})


def test_by_name():
    kinds = {
        "auto": Auto,
        "blendsearch": BlendSearch,
        "cem": CEM,
        "cfo": CFO,
        "cmaes": CMAES,
        "de": DE,
        "forest": Forest,
        "genetic": Genetic,
        "gp": GP,
        "grid": Grid,
        "random": Random,
        "sobol": Sobol,
        "tpe": TPE,
    }
    for name, kind in kinds.items():
        assert isinstance(by_name(name), kind)
    mine = GP(initial=3)
    assert by_name(mine) is mine
    with pytest.raises(StudyError, match="Did you mean 'sobol'"):
        by_name("sobbol")


def test_what_is_wrong_with_the_settings_is_said_at_once():
    with pytest.raises(StudyError) as caught:
        GP(initial=0, candidates=-1, starts=0)
    assert len(caught.value.problems) == 3


# --- Sobol ---


def test_sobol_starts_at_the_default_and_goes_on_after_a_resume():
    script = search(problem(NESTED), Sobol(), nested, 12)
    trials = script.history.trials
    assert trials[0].config == NESTED.defaults()
    assert trials[0].origin == "default"
    batch = ask(Script(problem(NESTED)).history, Sobol(), n=12)
    assert [s.config for s in batch] == [t.config for t in trials]


def test_sobol_covers_evenly_and_depends_on_the_seed():
    history = Script(problem(SQUARE)).history
    configs = [s.config for s in ask(history, Sobol(default_first=False), n=64)]
    counts = np.histogram2d([c["x"] for c in configs], [c["y"] for c in configs], 8, [[0, 1]] * 2)[
        0
    ]
    assert (counts == 1).all()
    other = ask(Script(problem(SQUARE, seed=1)).history, Sobol(default_first=False), n=64)
    assert other[0].config != configs[0]


def test_random_follows_the_priors():
    space = Space({"lr": Float(1e-5, 1e-1, log=True, prior=(1e-3, 2.0))})
    drawn = ask(Script(problem(space)).history, Random(), n=400)
    logs = np.log([s.config["lr"] / 1e-3 for s in drawn])
    assert abs(logs.mean()) < 0.15
    assert logs.std() == pytest.approx(math.log(2.0), rel=0.15)


# --- the acquisition ---


def expected_improvement(mean, sd, incumbent):
    def integrand(t):
        return max(incumbent - mean - sd * t, 0.0) * math.exp(-t * t / 2) / math.sqrt(2 * math.pi)

    edge = (incumbent - mean) / sd
    return quad(integrand, -12, min(edge, 12))[0]


@pytest.mark.parametrize("z", [3.0, 0.5, -0.5, -0.99, -1.01, -2.0, -5.0])
def test_log_h_is_the_log_of_the_expected_improvement(z):
    assert float(log_h(np.array(z))) == pytest.approx(
        math.log(expected_improvement(0.0, 1.0, z)), rel=1e-6
    )


def test_log_h_far_out():
    z = -np.array([20.0, 100.0, 999.0, 1001.0, 1e5, 1e7])
    series = -0.5 * z**2 - 0.5 * math.log(2 * math.pi) - 2 * np.log(-z) + np.log1p(-3 / z**2)
    np.testing.assert_allclose(log_h(z), series, rtol=1e-6)
    fine = np.linspace(-1100, 6, 20001)
    assert (np.diff(log_h(fine)) > 0).all()


def test_the_gradient_of_the_acquisition():
    rng = np.random.default_rng(0)
    group = np.array([0, 1, 1])
    data = Points(rng.random((10, 3)), group, np.zeros(10, dtype=np.intp))
    thetas = [Hyperparameters(np.array([-0.5, x]), x, -4.0, -math.inf, x) for x in (0.0, 1.0)]
    posterior = mixture(Plausible(tuple(thetas), (0.3, 0.7)), data, rng.standard_normal(10))
    success = classifier(data, rng.random(10) < 0.6)
    ei, far = (LogEI(posterior, np.array([low, low - 0.2])) for low in (-0.5, -9.0))
    chance = Feasible(success, (Bound(posterior, 0.2),))
    for target in (ei, far, chance, Constrained(ei, chance), Constrained(None, chance)):

        def value(z, target=target):
            return target(Points(z[None], group, np.array([0])))[0]

        z = rng.random(3)
        found, gradient = target.gradient(Points(z[None], group, np.array([0])))
        assert found == pytest.approx(value(z))
        numeric = [(value(z + 1e-5 * e) - value(z - 1e-5 * e)) / 2e-5 for e in np.eye(3)]
        np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-5)


def test_what_a_measurement_cannot_tell_is_no_improvement():
    """Where thirty noisy measurements lie close together, the search leaves for elsewhere."""
    group = np.array([0])
    x = np.concatenate([np.full(30, 0.5), [0.9]])[:, None]
    data = Points(x, group, np.zeros(31, dtype=np.intp))
    y = np.concatenate([np.zeros(30), [1.5]])
    here, there = (Points(np.array([[at]]), group, np.array([0])) for at in (0.51, 0.1))
    theta = Hyperparameters(np.array([-1.5]), 0.0, math.log(0.2), -math.inf)
    noisy = mixture(Plausible((theta,), (1.0,)), data, y)
    ei = LogEI(noisy, np.zeros(1))
    assert ei(there) > ei(here)
    mean, variance = noisy.predict(here)
    gain = expected_improvement(mean[0], variance[0] / math.sqrt(variance[0] + 0.2), 0.0)
    assert float(ei(here)[0]) == pytest.approx(math.log(gain))


def test_where_trials_fail_success_is_unlikely():
    group = np.array([0])
    x = np.linspace(0, 1, 21)[:, None]
    data = Points(x, group, np.zeros(21, dtype=np.intp))
    assert classifier(data, np.ones(21, dtype=bool)) is None
    model = classifier(data, x[:, 0] < 0.7)
    mean, _ = model.predict(data)
    assert (mean[x[:, 0] < 0.6] > 0.5).all()
    assert (mean[x[:, 0] > 0.8] < -0.5).all()


# --- moves over the space ---


def test_neighbours_differ_in_one_choice_or_one_step():
    space = Space(
        {
            "n": Int(1, 4),
            "w": Int(1, 100, log=True),
            "kind": Choice(["a", "b", "c"]),
            "extra": Choice([1, 2], when={"kind": "b"}),
            "lr": Float(0, 1),
        }
    )
    config = {"n": 1, "w": 7, "kind": "a", "lr": 0.25}
    near = neighbours(Ground(space, space), *space.encode(config))
    configs = [space.decode(row) for row in near.X]
    assert sorted((c["n"], c["w"], c["kind"]) for c in configs) == [
        (1, 6, "a"),
        (1, 7, "b"),
        (1, 7, "c"),
        (1, 8, "a"),
        (2, 7, "a"),
    ]
    for config in configs:
        space.check(config)


def test_candidates_satisfy_the_constraints():
    rng = np.random.default_rng(0)
    best = NESTED.encode_many([NESTED.defaults()])[0]
    for found in candidates(Ground(NESTED, NESTED), best, rng, 64):
        assert len(found.X) > 8
        for row in found.X:
            NESTED.check(NESTED.decode(row))
        again = pool(NESTED, found.X)
        np.testing.assert_allclose(again.X, found.X, atol=1e-12)


# --- the Gaussian-process search ---


def test_the_initial_design_is_sobol_and_then_reasons_are_given():
    script = search(problem(SQUARE), GP(initial=4), lambda c: (c["x"] - 0.3) ** 2, 8)
    origins = [t.origin for t in script.history.trials]
    assert origins == ["default", "sobol", "sobol", "sobol"] + ["gp:log-ei"] * 4
    why = script.history.trials[-1].why
    assert set(why) == {"mean", "sd", "log_ei"}
    assert why["sd"] > 0


def test_without_observations_the_design_goes_on():
    script = Script(problem(SQUARE))
    for _ in range(20):
        script.propose(Job(ask(script.history, GP())[0]))
    assert {t.origin for t in script.history.trials} == {"default", "sobol"}


def test_predictions_are_in_the_unit_of_the_loss():
    script = search(problem(SQUARE), GP(), lambda c: 1e6 + 1e3 * (c["x"] - 0.3) ** 2, 25)
    last = script.history.trials[-1]
    assert last.why["mean"] == pytest.approx(last.loss, abs=50)


def test_failures_are_avoided():
    space = Space({f"x{i}": Float(0, 1) for i in range(4)})

    def run(config):
        loss = sum((x - 0.45) ** 2 for x in config.values())
        return math.nan if config["x0"] > 0.6 else loss

    def failures(make):
        scripts = [search(problem(space, seed), make(), run, 30) for seed in range(2)]
        return sum(t.state is State.DIVERGED for s in scripts for t in s.history.trials)

    assert failures(GP) < 0.5 * failures(Random)


def test_the_neighbourhood_of_a_stopped_trial_is_left():
    """Stopped trials at the model's optimum send the search elsewhere."""
    script = search(problem(SQUARE), GP(), lambda c: (c["x"] - 0.3) ** 2 + (c["y"] - 0.3) ** 2, 12)
    favourite = ask(script.history, GP())[0].config
    for _ in range(3):
        script.try_config(favourite, state=State.STOPPED)
    after = ask(script.history, GP())[0].config
    assert math.dist(favourite.values(), after.values()) > 0.01


def test_a_batch_spreads_out():
    def scaled(config):
        return branin({"x": 15 * config["x"] - 5, "y": 15 * config["y"]})

    gaps = []
    for seed in range(4):
        script = search(problem(SQUARE, seed), GP(), scaled, 10)
        batch = np.array([list(s.config.values()) for s in ask(script.history, GP(), n=4)])
        gaps.append(np.linalg.norm(batch[:, None] - batch[None], axis=2)[np.triu_indices(4, 1)])
    assert np.median(gaps) > 0.2
    assert np.min(gaps) > 1e-4


def test_a_finite_space_is_exhausted_before_anything_is_repeated():
    space = Space({"a": Choice(["x", "y", "z"]), "n": Int(1, 4)})
    script = search(problem(space), GP(), lambda c: c["n"] + len(c["a"]), 14)
    late = [space.key(t.config) for t in script.history.trials]
    new = late[5:]  # the Sobol design may repeat itself
    assert len(set(late)) == 12
    assert len(set(new[: 12 - len(set(late[:5]))])) == 12 - len(set(late[:5]))


def test_the_search_goes_on_in_a_widened_space():
    script = search(problem(SQUARE), GP(), lambda c: (c["x"] - 1.5) ** 2 + c["y"], 12)
    wider = Space({**SQUARE, "x": Float(0, 2), "kind": Choice(["a", "b"], default="a")})
    script.write(SpaceChanged(wider.to_json()))
    for _ in range(5):
        config = ask(script.history, GP())[0].config
        wider.check(config)
        script.try_config(config, loss=(config["x"] - 1.5) ** 2 + config["y"])
    assert max(t.config["x"] for t in script.history.trials) > 1


def test_of_many_observations_a_part_is_modelled():
    script = Script(problem(SQUARE))
    rng = np.random.default_rng(0)
    for config in SQUARE.sample(rng, 1000):
        script.try_config(config, loss=(config["x"] - 0.7) ** 2 + 0.1 * float(rng.random()))
    config = ask(script.history, GP())[0].config
    assert abs(config["x"] - 0.7) < 0.2


def test_auto_says_what_it_chose_and_why():
    script = search(problem(SQUARE), Auto(), lambda c: c["x"], 7)
    assert script.history.trials[0].origin == "auto:default"
    assert script.history.trials[-1].origin == "auto:gp:log-ei"
    assert script.history.trials[-1].why["dimensions <= 300"] == 2


@pytest.mark.parametrize(
    ("space", "origin"),
    [
        (SQUARE, "auto:cmaes"),
        (Space({**SQUARE, "kind": Choice(["a", "b"])}), "auto:tpe"),
        (Space({**SQUARE, "n": Int(1, 4), "m": Int(1, 4, when={"n": (2, 4)})}), "auto:tpe"),
    ],
)
def test_auto_changes_when_a_gaussian_process_would_take_too_long(space, origin):
    script, rng = Script(problem(space)), np.random.default_rng(0)
    for config in space.sample(rng, 1001):
        script.try_config(config, loss=(config["x"] - 0.3) ** 2)
    (suggestion,) = ask(script.history, Auto())
    assert suggestion.origin == origin
    assert suggestion.why["ended > 1000"] == 1001


def test_auto_spreads_many_workers_and_many_dimensions_by_densities():
    script = Script(problem(SQUARE))
    script.write(BudgetChanged(trials=500, workers=100))
    for config in SQUARE.sample(np.random.default_rng(0), 12):
        script.try_config(config, loss=config["x"])
    batch = ask(script.history, Auto(), n=100)
    assert len({tuple(s.config.values()) for s in batch}) == 100
    assert all(s.origin == "auto:tpe" and s.why["workers > 64"] == 100 for s in batch)
    wide = Space({f"x{i}": Float(0, 1) for i in range(301)})
    script = search(problem(wide), Auto(), lambda c: c["x0"], 8)
    assert script.history.trials[-1].origin == "auto:tpe"
    assert script.history.trials[-1].why["dimensions > 300"] == 301


# --- several cells ---

CELLS = Scale([{"w": 32}, {"w": 64}, {"w": 128}, {"w": 256}], w=(32, 1024))
TRAINING = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "wd": Float(0.01, 1, log=True),
        "dropout": Float(0, 1),
        "optimizer": Choice(["adam", "sgd"]),
    }
)


def excess(config, w):
    """An asymmetric valley whose best learning rate falls with the width."""
    u = math.log10(config["lr"]) + 2.2 + 0.125 * math.log2(w / 32)
    valley = 0.375 * (math.exp(2 * u) - 1 - 2 * u) + 0.2 * (math.log10(config["wd"]) + 1) ** 2
    return valley + 0.3 * (config["dropout"] - 0.6) ** 2 + 0.15 * (config["optimizer"] == "sgd")


def best_at_largest(scale, searcher, cost, seed):
    """Spend a cost; return the least excess found at the largest width."""
    script = Script(Problem(TRAINING, Objective("loss", cost="flops"), scale=scale, seed=seed))
    while script.history.cost < cost:
        rng = generator(seed, script.history.last)
        job = Full().next(script.history, searcher, 1, rng)[0]
        w, config = job.fidelity.scale["w"], job.suggestion.config
        floor = 2 + 3 * (w / 32) ** -0.4
        script.end(script.propose(job), floor + excess(config, w), cost=(w / 32) ** 2)
    return min(excess(t.config, 256) for t in script.history.in_cell({"w": 256}))


@pytest.mark.slow
def test_small_cells_help_to_find_the_optimum_of_the_large_one():
    alone = Scale([{"w": 256}], w=(32, 1024))
    helped, single, chance = (
        np.median([best_at_largest(scale, make(), 500, seed) for seed in range(5)])
        for scale, make in ((CELLS, GP), (alone, GP), (CELLS, Random))
    )
    assert helped < 0.5 * single
    assert helped < 0.1 * chance


def test_a_config_may_be_proposed_again_in_another_cell_but_not_in_its_own():
    space = Space({"a": Choice(["x", "y"]), "n": Int(1, 3)})
    script = Script(Problem(space, Objective("loss"), scale=CELLS))
    small, large = Fidelity(scale={"w": 32.0}), Fidelity(scale={"w": 256.0})
    for a in "xy":
        for n in (1, 2, 3):
            script.try_config({"a": a, "n": n}, loss=float(n), at=small)
    seen = []
    for _ in range(6):
        config = ask(script.history, GP(), large)[0].config
        script.try_config(config, loss=float(config["n"]), at=large)
        seen.append(space.key(config))
    assert len(set(seen)) == 6
    assert script.history.trials[6].config["n"] == 1
