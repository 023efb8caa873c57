"""From configs, scales and losses to what the model sees."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maquette.fidelity import Fidelity
from maquette.history import Problem
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.space import Choice, Float, Int, Space
from maquette.surrogate.denoise import denoised
from maquette.surrogate.embedding import embedding
from maquette.surrogate.observations import observe
from maquette.surrogate.refit import Refits, learn_hyperparameters, refit_count
from maquette.surrogate.warp import learn
from maquette.testing.script import Script
from maquette.trial import State

SPACE = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "n": Int(1, 4),
        "kind": Choice(["a", "b", "c"]),
        "extra": Float(0, 1, when={"kind": "b"}),
        "fixed": Float(2, 2),
    }
)


def distance(one, two, space=SPACE, scales=((), ())):
    embed = embedding(space, None)
    X, active = space.encode_many([one, two])
    Z = embed(X, active, np.array(scales, dtype=float))
    return float(((Z[0] - Z[1]) ** 2).sum())


def test_any_two_choices_are_equally_far_apart():
    base = {"lr": 1e-2, "n": 2, "kind": "a", "fixed": 2.0}
    assert distance(base, base) == 0
    assert distance(base, {**base, "kind": "c"}) == pytest.approx(1.0)
    other = {**base, "kind": "b", "extra": 0.5}
    assert distance(base, other) == pytest.approx(2.0)  # another choice, and an extra setting


def test_how_often_a_value_is_used_counts_among_choices_of_the_same_values():
    names = [f"layer{i}" for i in range(4)]
    space = Space({**{name: Choice(["a", "b"]) for name in names}, "other": Choice(["b", "a"])})
    base = dict.fromkeys(names, "a") | {"other": "a"}
    same = distance({**base, "layer0": "b"}, {**base, "layer3": "b"}, space)
    assert same == pytest.approx(2.0)  # two choices differ; each value is used as often
    assert distance(base, {**base, "layer0": "b"}, space) == pytest.approx(1.0 + 1 / 16)
    assert distance(base, {**base, "other": "b"}, space) == pytest.approx(1.0)


def test_what_is_inactive_does_not_count_and_existing_does():
    one = {"lr": 1e-2, "n": 2, "kind": "b", "extra": 0.1, "fixed": 2.0}
    assert distance(one, {**one, "extra": 0.9}) == pytest.approx(0.64)
    away = {"lr": 1e-2, "n": 2, "kind": "c", "fixed": 2.0}
    # What is at 1/2 when it exists is a choice and an existence away from what does not exist.
    assert distance({**one, "extra": 0.5}, away) == pytest.approx(2.0)
    assert distance({**away, "kind": "a"}, away) == pytest.approx(1.0)


def test_constants_have_no_column_and_conditionals_share_a_group():
    embed = embedding(SPACE, None)
    assert embed.groups == 5  # lr, n, extra, kind, existence
    assert len(embed.group) == 3 + 3 + 1


def test_scale_axes_are_logs_of_ratios_and_constant_ones_are_left_out():
    scale = Scale([{"w": 2, "d": 1}, {"w": 8, "d": 1}], w=(2, 64), d=(1, 4))
    embed = embedding(SPACE, scale)
    X, active = SPACE.encode(SPACE.defaults())
    Z = embed(
        np.repeat(X[None], 3, 0),
        np.repeat(active[None], 3, 0),
        np.array([[2.0, 1], [4, 1], [32, 4]]),
    )
    np.testing.assert_allclose(Z[:, -1], [0.0, 0.5, 2.0])
    assert embed.groups == 6


LOSSES = arrays(float, st.integers(1, 30), elements=st.floats(-1e6, 1e6, allow_nan=False, width=32))


@given(LOSSES)
def test_warping_keeps_order_and_can_be_undone(y):
    warp = learn(y)
    z = warp.forward(y)
    assert np.isfinite(z).all()
    order = np.argsort(y, kind="stable")
    assert (np.diff(z[order]) >= -1e-9).all()
    below = y <= warp.m + 140 * warp.s if warp.s else np.ones(len(y), dtype=bool)
    tolerance = 1e-6 * (1 + np.abs(y).max())
    np.testing.assert_allclose(warp.back(z)[below], y[below], rtol=1e-6, atol=tolerance)


def test_a_diverging_loss_moves_the_scale_of_the_others_little():
    y = np.linspace(1.0, 2.0, 30)
    plain, spoilt = learn(y), learn(np.append(y, 1e6))
    assert spoilt.sd < 4 * plain.sd
    assert np.diff(spoilt.forward(y[:2])) > 0.2 * np.diff(plain.forward(y[:2]))


def test_the_slope_of_the_way_back():
    warp = learn(np.array([0.0, 1.0, 2.0, 3.0, 50.0]))
    z = np.array([-2.0, -0.5, 0.3, 1.5])
    numeric = (warp.back(z + 1e-6) - warp.back(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(warp.slope(z), numeric, rtol=1e-5)


def test_refits_come_at_fixed_counts():
    counts = sorted({refit_count(n) for n in range(60)})
    assert counts == [*range(33), 36, 40, 44, 49, 54]
    assert all(refit_count(n) <= n for n in range(500))


def fill(script, n, seed=0, at=None):
    rng = np.random.default_rng(seed)
    for config in script.problem.space.sample(rng, n):
        script.try_config(config, loss=float((math.log10(config["lr"]) + 2) ** 2), at=at)


def test_between_refits_hyperparameters_stay_and_content_decides():
    script = Script(Problem(SPACE, Objective("loss")))
    fill(script, 36)
    refits = Refits(learn_hyperparameters)
    first = refits(script.problem, script.history.finished)
    fill(script, 3, seed=1)
    assert refits(script.problem, script.history.finished) is first
    fill(script, 1, seed=2)
    later = refits(script.problem, script.history.finished)
    assert later is not first
    cold = Refits(learn_hyperparameters)(script.problem, script.history.finished)
    assert cold.length.tolist() == later.length.tolist()


def test_only_finished_finite_trials_are_observations():
    script = Script(Problem(SPACE, Objective("loss")))
    config = SPACE.defaults()
    script.try_config(config, loss=1.0)
    script.try_config(config, loss=math.nan)
    for state in (State.STOPPED, State.DIVERGED, State.OOM, State.CRASHED):
        script.try_config(config, state=state)
    script.try_config(config)
    assert observe(script.problem, script.history.finished).rows.tolist() == [0]


def scaled(cells):
    scale = Scale([{"w": w} for w in cells], w=(1, 64))
    return Script(Problem(SPACE, Objective("loss"), scale=scale))


def test_cells_with_other_floors_are_centred_and_returned_to_their_unit():
    script = scaled([1, 4, 16])
    for w, floor in ((1, 5.0), (4, 4.0), (16, 3.0)):
        for k, config in enumerate(SPACE.sample(np.random.default_rng(w), 10)):
            script.try_config(config, loss=floor + 0.01 * k, at=Fidelity(scale={"w": w}))
    seen = observe(script.problem, script.history.finished)
    assert np.abs(np.array([seen.y[i : i + 10].mean() for i in (0, 10, 20)])).max() < 1.0
    mean, sd = seen.losses(np.zeros(4), np.ones(4), np.array([[1.0], [4.0], [16.0], [64.0]]))
    np.testing.assert_allclose(mean, [5.05, 4.05, 3.05, 2.05], atol=0.1)
    assert (sd > 0).all()


def test_the_best_is_judged_by_what_its_config_is_worth():
    rng = np.random.default_rng(0)
    space = Space({"x": Float(0, 1)})
    script = Script(Problem(space, Objective("loss")))
    truth = []
    for x in np.linspace(0, 1, 41):
        noise = -1.0 if x == 1.0 else 0.05 * float(rng.standard_normal())  # a lucky outlier far off
        script.try_config({"x": float(x)}, loss=3 * (x - 0.3) ** 2 + 0.5 + noise)
        truth.append(3 * (x - 0.3) ** 2 + 0.5)
    number, mean, sd = denoised(script.history)
    assert abs(script.history.trials[number].config["x"] - 0.3) < 0.15
    assert mean == pytest.approx(0.5, abs=0.3)
    assert 0 < sd < 0.5


def test_the_best_of_few_is_the_lowest():
    script = Script(Problem(SPACE, Objective("loss")))
    assert denoised(script.history) is None
    config = SPACE.defaults()
    script.try_config(config, loss=2.0)
    assert denoised(script.history) == (0, 2.0, 0.0)
    script.try_config(config, loss=1.0)
    assert denoised(script.history) == (1, 1.0, pytest.approx(math.sqrt(0.5)))


def test_with_a_scale_the_best_is_one_of_the_largest_cell():
    script = scaled([1, 4])
    for w in (1, 4):
        fill(script, 8, seed=w, at=Fidelity(scale={"w": w}))
    number, _, _ = denoised(script.history)
    assert script.history.trials[number].scale == {"w": 4}


def test_a_trial_that_breaks_a_constraint_is_not_the_best():
    objective = Objective("loss", constraints={"mem": "<= 1"})
    script = Script(Problem(Space({"x": Float(0, 1)}), objective))
    from maquette.events import Ended
    from maquette.trial import Job, Suggestion

    for i in range(8):
        job = script.propose(Job(Suggestion({"x": i / 7})))
        metrics = {"loss": float(i), "mem": 2.0 if i < 3 else 0.5}
        script.write(Ended(i, job, State.DONE, metrics))
    assert denoised(script.history)[0] == 3


@pytest.mark.parametrize("unit", [1e-200, 1e-9, 1e30, 1e200, 1e300])
def test_losses_of_any_size_keep_their_order(unit):
    y = np.array([0.3, 0.1, 0.9, 0.2, 0.5]) * unit
    z = learn(y).forward(y)
    assert np.array_equal(np.argsort(z), np.argsort(y))
    assert z.std() == pytest.approx(1.0)


def test_the_best_of_losses_that_cannot_be_squared_is_found():
    space = Space({"x": Float(0, 1)})
    script = Script(Problem(space, Objective("loss")))
    for x in (0.9, 0.1, 0.5, 0.7, 0.3):
        script.try_config({"x": x}, loss=1e300 * x)
    found = denoised(script.history)
    assert found is not None
    assert found[0] == 1
    assert 0 <= found[1] < 3e299


def test_equal_losses_leave_no_doubt():
    y = np.full(6, 1e-6)
    warp = learn(y)
    assert np.abs(warp.forward(y)).max() < 1e-3
    assert float(warp.slope(np.zeros(1))[0]) < 1e-12


def test_points_tell_which_parameters_exist_whatever_choices_there_are():
    alike = {name: Choice([1, 2]) for name in "abc"}
    space = Space(alike | {"k": Choice(["x", "y"]), "m": Float(0.0, 1.0, when={"k": "y"})})
    X, active = space.encode_many(space.sample(np.random.default_rng(0), 20))
    embed = embedding(space, None)
    again, mask = embed.rows(embed(X, active, np.empty((20, 0))), space)
    assert np.array_equal(mask, active)
    assert np.allclose(np.where(active, again, 0.0), np.where(active, X, 0.0))
