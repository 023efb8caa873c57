"""Columns that say nothing are named, and a recipe stays where the runs can speak for it."""

import math

import numpy as np
import pytest

from maquette.scaling import fit


def grid(lrs=(5e-4, 1e-3, 2e-3, 4e-3, 8e-3), widths=(64.0, 128.0, 256.0)):
    rows = [
        {
            "lr": lr,
            "width": w,
            "loss": (2 + 5 * w**-0.4) * math.exp(0.02 * math.log(lr / 2e-3) ** 2),
        }
        for w in widths
        for lr in lrs
    ]
    return {k: np.asarray([r[k] for r in rows]) for k in rows[0]}


def test_a_setting_of_one_value_is_named():
    table = grid() | {"wd": np.full(15, 0.125)}
    model = fit(table, ["lr", "wd"], ["width"], "loss")
    here, far = model.recipe(width=256), model.recipe(width=4096)
    for recipe in (here, far):
        assert recipe.config["wd"] == 0.125
        assert "one value of a setting" in recipe.verdict.codes
        assert any("wd is 0.125 in every run" in r for r in recipe.verdict.reasons)
        assert "wd 0.125 (the only value tried)" in str(recipe)
    assert here.verdict.level == "caution"
    assert far.verdict.level == "do-not-trust"


def test_a_value_written_with_fewer_digits_is_the_same_value():
    table = grid() | {"wd": np.asarray([0.000488, 0.0004883, 0.00048828] * 5)}
    recipe = fit(table, ["lr", "wd"], ["width"], "loss").recipe(width=512)
    assert "one value of a setting" in recipe.verdict.codes
    assert recipe.config["wd"] == 0.00048828
    near_one = grid() | {"beta": np.asarray([0.999, 0.9995, 0.9999] * 5)}
    got = fit(near_one, ["lr", "beta"], ["width"], "loss").recipe(width=512)
    assert "one value of a setting" not in got.verdict.codes


@pytest.mark.parametrize("value", [2.0, 0.0, -3.0])
def test_a_constant_loss_is_named(value):
    table = grid() | {"loss": np.full(15, value)}
    verdict = fit(table, ["lr"], ["width"], "loss").recipe(width=512).verdict
    assert verdict.level == "do-not-trust"
    assert verdict.codes == ("constant loss",)
    assert verdict.reasons[0].startswith(f"every run has the loss {value:g}: the settings do not")


@pytest.mark.parametrize("width", [256.0, 1024.0, 1e5, 1e7])
def test_doubt_does_not_shade_beyond_the_interval_or_what_was_tried(width):
    one = fit(grid(widths=(128.0,)), ["lr"], ["width"], "loss").recipe(width=width)
    low, high = one.interval["lr"]
    assert low <= one.config["lr"] <= high
    assert 5e-4 * (1 - 1e-9) <= one.config["lr"] <= 8e-3 * (1 + 1e-9)


def test_too_few_values_on_both_sides_are_one_reason():
    rng = np.random.default_rng(1)
    width = np.repeat([64.0, 128.0, 256.0], 4)
    rng.uniform(-1, 1, 12)
    lr = np.exp(rng.choice([-0.05, 0.05], 12))
    loss = (2 + 5 * width**-0.4) * np.exp(0.02 * rng.standard_normal(12))
    model = fit({"lr": lr, "width": width, "loss": loss}, {"lr": True}, ["width"], "loss")
    verdict = model.recipe(width=512).verdict
    edges = [r for r in verdict.reasons if "those tried there" in r]
    assert len(edges) == 1
    assert edges[0].startswith("the runs bracket the best lr from neither side at width 64: run")


def test_one_run_repeated_is_counted_in_plain_words():
    rows = {"lr": [1e-3] * 5, "width": [64.0] * 5, "loss": [3.0] * 5}
    reasons = fit(rows, ["lr"], ["width"], "loss").recipe(width=64).verdict.reasons
    few = next(r for r in reasons if r.startswith("only"))
    assert few.startswith("only 1 different config finished (4 rows repeat others exactly)")
    assert "a fit needs 4" in few


def test_no_regret_is_counted_beyond_all_of_the_loss():
    recipe = fit(grid(), ["lr"], ["width"], "loss").recipe(width=1e40)
    assert recipe.regret > 1
    assert "the settings may be far from the best ones there" in str(recipe)
    assert "expected regret at the target is over 100 %" in str(recipe)
