"""What acquisition functions ask of a model of a loss, whatever is behind it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maquette.surrogate.gp import Hyperparameters, Points

Array = NDArray[np.float64]


@runtime_checkable
class Predictive(Protocol):
    """A Gaussian posterior of a loss, in standard units."""

    @property
    def theta(self) -> Hyperparameters:
        """Its hyperparameters."""

    def predict(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance at m points, each of shape (m,)."""

    def quantile(self, at: Points, q: float) -> Array:
        """Return the q-quantile of the function's value at m points, shape (m,)."""

    def joint(self, at: Points) -> tuple[Array, Array]:
        """Return the joint mean (m,) and covariance (m, m) at m points."""

    def sample(self, at: Points, rng: np.random.Generator, draws: int = 1) -> Array:
        """Return joint samples at m points, shape (draws, m)."""

    def gradient(self, at: Points) -> tuple[float, float, Array, Array]:
        """Return mean, variance, and their gradients by the p features, at one point."""

    def believing(self, at: Points) -> Predictive:
        """Return the posterior that has also seen its own mean at m points."""
