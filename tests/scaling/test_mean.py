import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.scaling.mean import Layout, Rows, excess, mean, mean_jacobian, optimum
from maquette.scaling.valley import mixing, root, siding, valley


def random_case(p, a, levels, cells, seed, spread=0.5):
    rng = np.random.default_rng(seed)
    layout = Layout(p, a, levels, cells)
    n = 9
    g = np.eye(levels)[rng.integers(0, levels, n)] if levels else np.zeros((n, 0))
    e = np.eye(cells)[rng.integers(0, cells, n)] if cells else np.zeros((n, 0))
    rows = Rows(rng.normal(size=(n, p)), rng.normal(size=(n, a)), g, e)
    return layout, rows, spread * rng.normal(size=layout.starts[-1])


@pytest.mark.parametrize(
    ("p", "a", "levels", "cells"),
    [(1, 1, 0, 0), (2, 2, 0, 3), (3, 1, 2, 2), (0, 2, 2, 0), (2, 0, 0, 0)],
)
def test_jacobian_is_the_derivative(p, a, levels, cells):
    layout, rows, theta = random_case(p, a, levels, cells, seed=p + 10 * a)
    value, v, jac = mean_jacobian(layout, theta, rows)
    h = 1e-6
    numeric = np.stack(
        [
            (mean(layout.split(theta + h * d), rows) - mean(layout.split(theta - h * d), rows))
            / (2 * h)
            for d in np.eye(theta.size)
        ],
        1,
    )
    np.testing.assert_allclose(jac, numeric, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(value, mean(layout.split(theta), rows))
    np.testing.assert_allclose(v, excess(layout.split(theta), rows))


def test_draws_are_evaluated_together():
    layout, rows, theta = random_case(2, 2, 2, 2, seed=3)
    many = np.stack([theta, 0.5 * theta, -theta])
    together = mean(layout.split(many), rows)
    for row, one in zip(together, many, strict=True):
        np.testing.assert_allclose(row, mean(layout.split(one), rows))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), p=st.integers(1, 4))
def test_excess_is_zero_at_the_optimum_and_never_negative(seed, p):
    layout, rows, theta = random_case(p, 2, 0, 0, seed, spread=1.0)
    parts = layout.split(theta)
    assert excess(parts, rows).min() >= 0.0
    best = Rows(optimum(parts, rows), rows.s, rows.g, rows.e)
    np.testing.assert_allclose(excess(parts, best), 0.0, atol=1e-20)


def test_well_is_the_exponential_one_and_smooth_through_zero():
    u = np.array([-2.0, -0.3, -1e-3, 1e-3, 0.3, 2.0])
    psi, _ = root(u)
    np.testing.assert_allclose(0.5 * (u * psi) ** 2, np.expm1(u) - u, rtol=1e-6)
    near = np.array([0.0099999, 0.0100001])
    assert abs(np.diff(root(near)[0])[0]) < 1e-6
    assert abs(np.diff(root(near)[1])[0]) < 1e-5


def test_order_of_settings_does_not_matter():
    rng = np.random.default_rng(0)
    p, n = 3, 5
    u, kappa = rng.normal(size=(n, p)), rng.normal(size=(n, p))
    k, h2 = rng.normal(size=p), rng.uniform(size=p)
    m, t = mixing(rng.normal(size=3), p), siding(rng.normal(size=6), p)
    order = np.array([2, 0, 1])
    a = valley(u, kappa, k, h2, m, t)
    swap = np.ix_(order, order)
    b = valley(u[:, order], kappa[:, order], k[order], h2[order], m[swap], t[swap])
    np.testing.assert_allclose(a, b)


def test_inactive_settings_cost_nothing_and_far_rows_stay_finite():
    m, t = mixing(np.array([0.3]), 2), siding(np.array([0.5, -0.5]), 2)
    args = (np.zeros((2, 2)), np.array([1.0, 1.0]), np.array([0.1, 0.1]), m, t)
    v = valley(np.array([[np.nan, np.nan], [500.0, -500.0]]), *args)
    assert v[0] == 0.0
    assert np.isfinite(v[1])
