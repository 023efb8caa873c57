"""Sampling: the measure, the priors, the speed, and that a seed decides everything."""

import math
import time

import numpy as np
import pytest

from maquette.space import Choice, Float, Int, Space


def draws(parameter, n=4000, seed=0):
    return [c["x"] for c in Space({"x": parameter}).sample(np.random.default_rng(seed), n)]


def test_without_a_prior_the_scale_is_uniform():
    linear, log = draws(Float(2, 6)), np.log10(draws(Float(1e-4, 1, log=True)))
    np.testing.assert_allclose(np.quantile(linear, [0.25, 0.5, 0.75]), [3, 4, 5], atol=0.1)
    np.testing.assert_allclose(np.quantile(log, [0.25, 0.5, 0.75]), [-3, -2, -1], atol=0.1)
    counts = np.bincount(draws(Int(0, 3)), minlength=4) / 4000
    np.testing.assert_allclose(counts, 0.25, atol=0.03)


def test_a_linear_prior_is_a_truncated_normal():
    values = np.array(draws(Float(0, 10, prior=(4, 0.5))))
    assert np.mean(values) == pytest.approx(4, abs=0.05)
    assert np.std(values) == pytest.approx(0.5, abs=0.03)
    edge = np.array(draws(Float(0, 10, prior=(0, 1))))  # half a normal
    assert edge.min() >= 0
    assert np.mean(edge) == pytest.approx(math.sqrt(2 / math.pi), abs=0.05)


def test_a_log_prior_has_median_and_factor():
    values = np.array(draws(Float(1e-8, 1, log=True, prior=(1e-3, 3))))
    assert np.median(values) == pytest.approx(1e-3, rel=0.1)
    assert np.mean((values > 1e-3 / 3) & (values < 3e-3)) == pytest.approx(0.683, abs=0.03)


def test_an_integer_prior_and_weights():
    values = np.array(draws(Int(1, 100, prior=(50, 3))))
    assert np.mean(values) == pytest.approx(50, abs=0.3)
    names = draws(Choice(["a", "b", "c"], prior=[3, 0, 1]))
    assert names.count("b") == 0
    assert names.count("a") / len(names) == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize(
    "parameter",
    [
        Float(0, 10, prior=(4, 0.5)),
        Float(1e-6, 1, log=True, prior=(1e-3, 3)),
        Int(0, 1000, prior=(0, 100)),
        Choice(["a", "b", "c"], prior=[3, 1, 2]),
        Float(0, 1),
    ],
)
def test_the_log_density_integrates_to_one(parameter):
    space = Space({"x": parameter})
    grid = ((np.arange(60_000) + 0.5) / 60_000)[:, None]
    density = np.exp(space.log_prior(grid))
    assert density.mean() == pytest.approx(1, abs=1e-3)
    rows, _ = space.encode_many(space.sample(np.random.default_rng(0), 4000))
    below = (grid[:, 0] <= 0.4).astype(float)
    assert np.mean(rows[:, 0] <= 0.4) == pytest.approx((density[:, 0] * below).mean(), abs=0.03)


def test_no_weight_has_no_density():
    space = Space({"x": Choice(["a", "b"], prior=[1, 0])})
    np.testing.assert_allclose(space.log_prior([[0.25], [0.75]]), [[math.log(2)], [-np.inf]])


def test_from_unit_ignores_priors():
    plain, informed = (Space({"x": Float(0, 1, prior=p)}) for p in (None, (0.1, 0.01)))
    unit = np.random.default_rng(0).random((50, 1))
    assert plain.from_unit(unit) == informed.from_unit(unit)


def test_the_seed_decides():
    space = Space({"x": Float(0, 1), "k": Int(0, 9), "c": Choice(["a", ""])}, ["x < k"])
    one, two, other = (space.sample(np.random.default_rng(s), 30) for s in (3, 3, 4))
    assert one == two != other


MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "warmup": Float(0, 0.2),
        "shift": Float(-1, 1),
        "layers": Int(2, 8),
        "width": Int(16, 4096, log=True),
        "heads": Choice([1, 2, 4, 8]),
        "optimizer": Choice(["adamw", "muon", "sgd"]),
        "momentum": Float(0.8, 0.99, when={"optimizer": "sgd"}),
        "nesterov": Choice([True, False], when={"optimizer": "sgd"}),
        "beta": Float(0.9, 0.999, when={"optimizer": ["adamw", "muon"]}),
    }
)


@pytest.mark.parametrize(
    ("limit", "act"),
    [
        (0.5, lambda: MIXED.sample(np.random.default_rng(0), 10_000)),
        (0.5, lambda: MIXED.encode_many(TEN_THOUSAND)),
        (0.1, lambda: MIXED.project(np.random.default_rng(0).random((10_000, 10)))),
        (0.1, lambda: [MIXED.encode(TEN_THOUSAND[0]) for _ in range(300)]),
    ],
)
def test_speed(limit, act):
    def seconds():
        start = time.process_time()
        act()
        return time.process_time() - start

    # The best of three, in processor time: a busy machine does not fail it.
    assert min(seconds() for _ in range(3)) < limit


TEN_THOUSAND = MIXED.sample(np.random.default_rng(0), 10_000)
