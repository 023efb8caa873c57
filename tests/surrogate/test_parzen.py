"""Parzen densities: they integrate to one, and draws follow them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest, truncnorm

from maquette.surrogate.parzen import Dimensions, Parzen, parzen

REAL = Dimensions(np.array([10**9]), np.array([False]))
MIXED = Dimensions(np.array([10**9, 3]), np.array([False, True]))


def around(x, dimensions=REAL, least=0.02, active=None):
    X = np.array(x, dtype=float).reshape(len(x), -1)
    mask = np.ones(X.shape, dtype=bool) if active is None else np.array(active)
    return parzen(dimensions, X, mask, np.ones(len(X)), least)


def at(p: Parzen, *row: float, active=None) -> float:
    mask = np.ones((1, len(row)), dtype=bool) if active is None else np.array([active])
    return float(np.exp(p.log_density(np.array([row]), mask))[0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_a_density_integrates_to_one(x):
    total, _ = quad(lambda v: at(around(x), v), 0, 1, points=sorted(set(x))[:5], limit=200)
    assert total == pytest.approx(1.0, abs=1e-4)


def test_one_kernel_is_a_truncated_normal_beside_the_prior():
    p = around([0.9])
    s = float(p.bandwidth[0])
    kernel = truncnorm(-0.9 / s, 0.1 / s, 0.9, s)
    for v in (0.1, 0.85, 1.0):
        assert at(p, v) == pytest.approx(0.5 + 0.5 * kernel.pdf(v))


def test_choices_sum_to_one_and_prefer_what_was_seen():
    p = around([[0.5, 0.1], [0.5, 0.2]], MIXED)
    values = [at(p, 0.5, (c + 0.5) / 3) for c in range(3)]
    real = around([0.5, 0.5])
    # Relative to a uniform draw, so the mean over the values is what the real dimension alone has.
    alone = parzen(REAL, np.full((2, 1), 0.5), np.ones((2, 1), bool), np.ones(2), 0.02)
    bandwidth = Parzen(REAL, alone.X, alone.active, alone.weight, p.bandwidth, p.blur)
    assert np.mean(values) == pytest.approx(at(bandwidth, 0.5))
    assert values[0] > values[1] == pytest.approx(values[2])
    assert real.prior == pytest.approx(1 / 3)


def test_what_does_not_exist_has_no_say():
    p = around([[0.3, 0.5]], MIXED, active=[[False, True]])
    here = [at(p, v, 0.5) for v in (0.0, 0.3, 0.9)]
    assert here == pytest.approx([here[0]] * 3)


def test_draws_follow_the_density():
    p = around([0.05, 0.1, 0.7], least=0.05)
    drawn = p.sample(4000, np.random.default_rng(0))[:, 0]
    grid = np.linspace(0, 1, 2001)
    pdf = np.exp(p.log_density(grid[:, None], np.ones((2001, 1), dtype=bool)))
    cdf = np.concatenate([[0.0], np.cumsum((pdf[1:] + pdf[:-1]) / 2) / 2000])
    assert kstest(drawn, lambda v: np.interp(v, grid, cdf / cdf[-1])).pvalue > 0.01


def test_weights_move_the_mass():
    X, mask = np.array([[0.2], [0.8]]), np.ones((2, 1), dtype=bool)
    heavy = parzen(REAL, X, mask, np.array([9.0, 1.0]), 0.02)
    assert at(heavy, 0.2) > 3 * at(heavy, 0.8)
    assert heavy.weight.sum() + heavy.prior == pytest.approx(1.0)


def test_far_away_only_the_prior_is_left():
    p = around([0.0], least=1e-3)
    narrow = Parzen(REAL, p.X, p.active, p.weight, np.array([1e-3]), p.blur)
    assert float(narrow.log_density(np.ones((1, 1)), np.ones((1, 1), bool))[0]) == pytest.approx(
        math.log(0.5)
    )
