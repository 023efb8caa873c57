"""What every model of a loss offers, and what acquisition functions ask of one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maquette.surrogate.gp import Points

Array = NDArray[np.float64]


@runtime_checkable
class Predicted(Protocol):
    """What all models of a loss share: mean, variance, quantiles and samples."""

    def predict(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance at m points, each of shape (m,)."""

    def quantile(self, at: Points, q: float) -> Array:
        """Return the q-quantile of the function's value at m points, shape (m,)."""

    def sample(self, at: Points, rng: np.random.Generator, draws: int = 1) -> Array:
        """Return samples at m points, shape (draws, m); joint ones where the model has them."""


@runtime_checkable
class Predictive(Protocol):
    """A mixture of J Gaussian posteriors of a loss, in standard units."""

    @property
    def weight(self) -> Array:
        """Weights of the members, shape (J,)."""

    @property
    def noises(self) -> Array:
        """Variance of a measurement about each member, shape (J,)."""

    @property
    def noise(self) -> float:
        """Mean of these."""

    def each(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance of every member at m points, each of shape (J, m)."""

    def slopes(self, at: Points) -> tuple[Array, Array, Array, Array]:
        """Return means and variances (J,) at one point, and their gradients (J, p)."""

    def predict(self, at: Points) -> tuple[Array, Array]:
        """Return mean and variance at m points, each of shape (m,)."""

    def joint(self, at: Points) -> tuple[Array, Array]:
        """Return the joint mean (m,) and covariance (m, m) at m points."""

    def gradient(self, at: Points) -> tuple[float, float, Array, Array]:
        """Return mean, variance, and their gradients by the p features, at one point."""

    def believing(self, at: Points) -> Predictive:
        """Return the posterior that has also seen its own mean at m points."""
