"""Draws from a posterior, however sharp."""

import numpy as np

from maquette.scaling.posterior import _root


def test_the_root_of_a_covariance_gives_it_back():
    a = np.random.default_rng(0).standard_normal((6, 6))
    covariance = a @ a.T
    root = _root(covariance)
    np.testing.assert_allclose(root @ root.T, covariance, rtol=1e-9)


def test_a_covariance_with_a_direction_known_exactly_has_a_root():
    scale = np.array([1.0, 1e-6, 1e-9, 1.0])
    a = np.random.default_rng(1).standard_normal((4, 3))
    covariance = (a @ a.T) * np.outer(scale, scale)
    covariance[0, 0] *= 1 - 1e-12  # what rounding does: an eigenvalue just below zero
    root = _root(covariance)
    assert np.isfinite(root).all()
    np.testing.assert_allclose(
        root @ root.T / np.outer(scale, scale),
        covariance / np.outer(scale, scale),
        atol=1e-9,
    )
