"""Simulation-based calibration: intervals hold the truth in the family, and widen outside it."""

import math

import numpy as np
import pytest

from maquette.scaling import fit
from tests.scaling import families as fam


def run(kind, seed):
    rng = np.random.default_rng([seed, fam.KINDS.index(kind)])
    w = fam.world(kind, rng)
    x, s = fam.scattered(w, fam.lattice(2, (3, 3), (0.5, 0.8)), 110, rng, 3.5)
    target = np.array([1.6, 2.4])
    model = fit(w.table(x, s, rng), ["x0", "x1"], ["s0", "s1"], "loss")
    recipe = model.recipe(s0=1e6 * math.exp(1.6), s1=1e6 * math.exp(2.4))
    best, floor = w.best(target)
    inside = [
        math.log(recipe.interval[f"x{j}"][0]) <= best[j] <= math.log(recipe.interval[f"x{j}"][1])
        for j in range(2)
    ]
    got = np.log([recipe.config["x0"], recipe.config["x1"]])
    return {
        "x": np.mean(inside),
        "loss": recipe.loss.low <= floor <= recipe.loss.high,
        "expected": recipe.regret,
        "regret": w.excess(got, target),
        "trusted": recipe.verdict.level == "trust",
    }


@pytest.fixture(scope="module")
def rows():
    kept = {}

    def of(kind):
        if kind not in kept:
            kept[kind] = [run(kind, seed) for seed in range(12)]
        return kept[kind]

    return of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "least"), [("own", 0.8), ("floor", 0.8), ("valley", 0.7), ("physics", 0.6)]
)
def test_intervals_hold_the_truth(rows, kind, least):
    assert np.mean([r["x"] for r in rows(kind)]) >= least
    assert np.mean([r["loss"] for r in rows(kind)]) >= least
    assert all(r["regret"] < 0.01 for r in rows(kind) if r["trusted"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["own", "floor", "valley", "physics"])
def test_expected_regret_is_no_boast(rows, kind):
    expected = np.mean([r["expected"] for r in rows(kind)])
    assert np.mean([r["regret"] for r in rows(kind)]) <= 1.5 * expected
