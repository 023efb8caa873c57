"""The floor: the loss at the optimum as a function of scale.

    log F(s) = level + log(1 + sum_a A_a exp(-alpha_a s_a)) - log(1 + sum_a A_a)

An irreducible part and one power term for each axis of scale, divided by its value at s = 0, so
that the level is the log loss at the middle of the scales at hand and nearly independent of the
exponents.

References
----------
Hoffmann et al. (2022), "Training Compute-Optimal Large Language Models", eq. 2. arXiv:2203.15556.
"""

from __future__ import annotations

import numpy as np

from maquette.scaling.coordinates import Array


def floor(log_a: Array, alpha: Array, s: Array) -> Array:
    """Log floor without its level.

    Parameters
    ----------
    log_a, alpha
        log A_a and alpha_a, shape (..., A).
    s
        Scales, shape (n, A).

    Returns
    -------
    Array
        Shape (..., n).
    """
    power = np.exp(log_a[..., None, :] - alpha[..., None, :] * s)
    total = 1.0 + power.sum(-1)
    return np.asarray(np.log(total) - np.log1p(np.exp(log_a).sum(-1))[..., None])


def floor_jacobian(log_a: Array, alpha: Array, s: Array) -> tuple[Array, Array]:
    """Derivatives of `floor` by log A and by alpha, each of shape (n, A)."""
    power = np.exp(log_a - alpha * s)
    share = power / (1.0 + power.sum(-1, keepdims=True))
    a = np.exp(log_a)
    return share - a / (1.0 + a.sum()), -s * share
