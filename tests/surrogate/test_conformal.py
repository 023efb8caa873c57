"""Boosted quantiles, and the bands that are made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maquette.surrogate.boosting import boost
from maquette.surrogate.conformal import LEVELS, conformal, widening
from maquette.surrogate.gp import Points
from maquette.surrogate.protocol import Predicted


def points(Z):
    return Points(Z, np.arange(Z.shape[1]), np.zeros(len(Z), dtype=np.intp))


@pytest.fixture(scope="module")
def steps():
    """A step with noise that is three times as wide behind it."""
    rng = np.random.default_rng(0)
    Z = rng.random((600, 3))
    wide = Z[:, 0] > 0.5
    return Z, np.where(wide, 3.0, 0.0) + np.where(wide, 1.5, 0.5) * rng.standard_normal(600)


def test_quantiles_follow_level_and_spread(steps):
    model = boost(*steps, LEVELS)
    low, high = model.predict(np.array([[0.2, 0.5, 0.5], [0.8, 0.5, 0.5]])).T
    assert low[2] == pytest.approx(0.0, abs=0.4)
    assert high[2] == pytest.approx(3.0, abs=0.8)
    assert high[-1] - high[0] > 2.0 * (low[-1] - low[0])
    assert (np.diff(low) >= 0).all()
    inside = (model.predict(steps[0]) >= steps[1]).mean(axis=1)
    assert np.allclose(inside, LEVELS, atol=0.06)


def test_one_point_constants_and_no_features():
    one = boost(np.zeros((1, 2)), np.array([3.0]), LEVELS)
    assert (one.predict(np.ones((2, 2))) == 3.0).all()
    flat = boost(np.random.default_rng(0).random((9, 2)), np.full(9, -1.0), LEVELS)
    assert (flat.predict(np.ones((1, 2))) == -1.0).all()
    bare = boost(np.empty((9, 0)), np.arange(9.0), LEVELS)
    assert bare.predict(np.empty((2, 0)))[2].tolist() == [4.0, 4.0]


def test_the_widening_is_the_least_with_the_coverage():
    errors = np.random.default_rng(1).permutation(12).astype(float)
    assert widening(errors, 2 / 3) == 8.0  # k = ceil(13 * 2 / 3) = 9
    assert widening(errors, 1.0) == 11.0
    assert widening(np.array([0.4]), 0.5) == 0.4
    assert widening(-errors, 1 / 3) == -7.0  # a band that is too wide is drawn in


@pytest.mark.parametrize("heavy", [False, True])
def test_bands_cover_a_new_point_as_often_as_they_say(heavy):
    """Of 12 points held back the outer pair covers 9 / 13, whatever the noise and the raw band."""
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(400):
        spread = 1.0 + 2.0 * rng.random(13) if heavy else np.ones(13)
        y = spread * (rng.standard_t(3, 13) if heavy else rng.standard_normal(13))
        errors = np.maximum(-0.2 - y, y - 0.1)  # a raw band [-0.2, 0.1], much too narrow
        covered.append(errors[12] <= widening(errors[:12], 2 / 3))
    error = math.sqrt(9 / 13 * 4 / 13 / 400)
    assert abs(np.mean(covered) - 9 / 13) < 3 * error


def test_a_conformal_model_is_a_posterior(steps):
    Z, y = steps
    model = conformal(points(Z[:200]), y[:200])
    assert isinstance(model, Predicted)
    at = points(Z[200:])
    q = model.quantiles(at)
    assert ((q[0] <= y[200:]) & (y[200:] <= q[4])).mean() == pytest.approx(2 / 3, abs=0.12)
    mean, variance = model.predict(at)
    assert mean.shape == variance.shape == (400,)
    assert (variance > 0).all()
    assert np.array_equal(model.quantile(at, 0.5), q[2])
    assert np.array_equal(model.quantile(at, 0.01), q[0])
    assert np.allclose(model.quantile(at, 0.25), 0.5 * (q[0] + q[1]))
    draws = model.sample(at, np.random.default_rng(0), 30)
    assert np.isclose(draws[:, :, None], q.T[None]).any(axis=2).all()


def test_few_observations_are_not_split():
    rng = np.random.default_rng(3)
    assert not conformal(points(rng.random((32, 2))), rng.random(32)).moved.any()
    assert conformal(points(rng.random((33, 2))), rng.random(33)).moved.any()
