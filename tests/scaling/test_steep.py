"""Valleys whose walls rise by factors of e, and losses that reach zero."""

import math

import numpy as np
import pytest

from maquette.scaling import fit

SHAPES = {
    "to zero": lambda x: (x - 0.3) ** 2,
    "above one": lambda x: 1 + (x - 0.3) ** 2,
    "negative": lambda x: -1 + (x - 0.3) ** 2,
    "steep": lambda x: 1 + 1000 * (x - 0.3) ** 2,
}


def dense(shape, seed):
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.uniform(0, 1, 6), 0.3 + 0.02 * rng.standard_normal(14)])
    return fit({"x": x, "loss": SHAPES[shape](x)}, ["x"], [], "loss")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_recipe_lies_among_runs_dense_around_the_optimum(shape, seed):
    model = dense(shape, seed)
    recipe = model.recipe()
    assert recipe.config["x"] == pytest.approx(0.3, abs=0.005)
    low, high = recipe.interval["x"]
    assert low <= recipe.config["x"] <= high
    assert high - low < 0.02
    assert model.regret({"x": 0.3}).mean < 0.003
    assert model.regret({"x": 0.5}).mean > 0.02


def test_losses_are_not_foretold_far_above_the_worst_run():
    model = dense("steep", 0)
    assert model.predict({"x": 5.0}).mean < 5000
    assert model.regret({"x": 0.5}).mean > 10


def test_a_steep_valley_that_moves_with_scale():
    rng = np.random.default_rng(0)
    width = np.repeat([64.0, 128.0, 256.0], 14)
    lr = np.exp(rng.uniform(math.log(1e-3), 0.0, 42))
    loss = 2 + 10 / width + (lr * np.sqrt(width) - 0.8) ** 2
    recipe = fit({"lr": lr, "width": width, "loss": loss}, ["lr"], ["width"], "loss").recipe(
        width=4096
    )
    assert recipe.config["lr"] == pytest.approx(0.0125, rel=0.25)
    assert "unexplained" not in recipe.verdict.codes
