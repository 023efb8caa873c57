"""Averages over hyperparameters: against their members, and against the whole posterior."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maquette.surrogate.gp import Hyperparameters, Likelihood, Points, fit
from maquette.surrogate.mixture import mixture
from maquette.surrogate.plausible import MOST_AVERAGED, Plausible, plausible

GROUP = np.array([0, 1, 1, 2])
WEIGHT = np.array([0.5, 0.2, 0.3])


def points(n, rng, cells=1):
    return Points(rng.random((n, 4)), GROUP, rng.integers(cells, size=n))


def made(cells, rng):
    thetas = tuple(
        Hyperparameters(
            rng.normal(-0.5, 0.5, 3),
            rng.normal(),
            -3.0 + rng.normal(),
            -math.inf if cells == 1 else rng.normal(-1.0),
            rng.normal() if cells == 1 else -math.inf,
        )
        for _ in WEIGHT
    )
    y = rng.standard_normal(12)
    return mixture(Plausible(thetas, tuple(WEIGHT.tolist())), points(12, rng, cells), y)


@pytest.mark.parametrize("cells", [1, 2])
def test_all_members_at_once_are_each_of_them(cells):
    rng = np.random.default_rng(cells)
    found, at = made(cells, rng), points(5, rng, cells)
    means, variances = found.each(at)
    for j, member in enumerate(found.members):
        mean, variance = member.predict(at)
        np.testing.assert_allclose(means[j], mean, atol=1e-9)
        np.testing.assert_allclose(variances[j], variance, atol=1e-9)
    one = at.take(np.array([2]))
    slopes = found.slopes(one)
    for j, member in enumerate(found.members):
        for got, expected in zip(slopes, member.gradient(one), strict=True):
            np.testing.assert_allclose(got[j], expected, atol=1e-8)


def test_mean_and_covariance_are_those_of_draws_from_a_member_at_random():
    rng = np.random.default_rng(3)
    found, at = made(1, rng), points(3, rng)
    counts = (200_000 * WEIGHT).astype(int).tolist()
    drawn = np.concatenate(
        [m.sample(at, rng, k) for m, k in zip(found.members, counts, strict=True)]
    )
    mean, C = found.joint(at)
    np.testing.assert_allclose(mean, drawn.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(C, np.cov(drawn.T), atol=0.06)
    np.testing.assert_allclose(found.predict(at)[0], mean, atol=1e-9)
    np.testing.assert_allclose(found.predict(at)[1], np.diag(C), atol=1e-9)


def test_the_gradients_of_the_mixtures_mean_and_variance():
    rng = np.random.default_rng(4)
    found, z = made(1, rng), rng.random(4)

    def at(x):
        return Points(x[None], GROUP, np.array([0]))

    mean, variance, d_mean, d_variance = found.gradient(at(z))
    assert (mean, variance) == pytest.approx([v[0] for v in found.predict(at(z))])
    for k, gradient in enumerate((d_mean, d_variance)):
        numeric = [
            (found.predict(at(z + h))[k][0] - found.predict(at(z - h))[k][0]) / 2e-5
            for h in 1e-5 * np.eye(4)
        ]
        np.testing.assert_allclose(gradient, numeric, atol=1e-6)


def test_believing_keeps_every_members_mean():
    rng = np.random.default_rng(5)
    found, at = made(1, rng), points(4, rng)
    believed = found.believing(points(3, rng))
    np.testing.assert_allclose(believed.each(at)[0], found.each(at)[0], atol=1e-7)
    assert (believed.each(at)[1] <= found.each(at)[1] + 1e-9).all()


def integrated(data, y):
    """The posterior of one lengthscale, the signal and the noise, integrated on a grid."""
    model = Likelihood(data, y)
    axes = [c + s * np.linspace(-3, 3, 13) for c, s in zip(*model.prior(), strict=True)]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)
    log_p = np.array([model.posterior(v)[0] for v in grid])
    p = np.exp(log_p - log_p.max())
    some = p > 1e-3 * p.sum()
    weight = tuple((p[some] / p[some].sum()).tolist())
    return mixture(Plausible(tuple(model.unpack(v) for v in grid[some]), weight), data, y)


def test_draws_come_nearer_to_the_whole_posterior_than_its_maximum():
    x = np.linspace(0, 1, 7)[:, None]
    off = []
    for seed in range(6, 9):
        rng = np.random.default_rng(seed)
        Z = rng.random((10, 1))
        y = np.sin(5 * Z[:, 0]) + 0.3 * rng.standard_normal(10)
        y = (y - y.mean()) / y.std()
        data = Points(Z, np.array([0]), np.zeros(10, dtype=np.intp))
        at = Points(x, data.group, np.zeros(7, dtype=np.intp))
        mean, variance = integrated(data, y).predict(at)
        drawn = mixture(plausible(data, y), data, y).predict(at)
        single = mixture(Plausible((fit(data, y),), (1.0,)), data, y).predict(at)
        np.testing.assert_allclose(drawn[0], mean, atol=0.25)
        off.append([np.abs(np.sqrt(v) - np.sqrt(variance)).mean() for _, v in (drawn, single)])
    drawn, single = np.mean(off, axis=0)
    assert drawn < 0.8 * single


def test_the_same_data_give_the_same_draws_and_many_data_one():
    rng = np.random.default_rng(7)
    data, y = points(MOST_AVERAGED + 1, rng), rng.standard_normal(MOST_AVERAGED + 1)
    few = data.take(np.arange(20))
    one, two = plausible(few, y[:20]), plausible(few, y[:20])
    assert one.weight == two.weight
    assert sum(one.weight) == pytest.approx(1.0)
    assert len(one.theta) > 1
    for a, b in zip(one.theta, two.theta, strict=True):
        assert (a.length == b.length).all()
    assert len(plausible(data, y).theta) == 1
