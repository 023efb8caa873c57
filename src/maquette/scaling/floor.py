"""The floor: the loss at the optimum as a function of scale.

    log F(s) = level + log(1 + S(s)^gamma) - log(1 + S(0)^gamma)
    S(s) = sum_a A_a exp(-alpha_a s_a)

An irreducible part and one power term for each axis of scale (gamma = 1: Chinchilla; gamma < 1:
terms that add before they are raised to a power), divided by its value at s = 0, so that the level
is the log loss at the middle of the scales at hand and nearly independent of the exponents.

References
----------
Hoffmann et al. (2022), "Training Compute-Optimal Large Language Models", eq. 2. arXiv:2203.15556.
"Skaling" (2026), L = E + (A N^-a + B D^-b)^k. arXiv:2608.07222.
"""

from __future__ import annotations

import numpy as np

from maquette.scaling.coordinates import Array


def floor(log_a: Array, alpha: Array, log_gamma: Array, s: Array) -> Array:
    """Log floor without its level.

    Parameters
    ----------
    log_a, alpha
        log A_a and alpha_a, shape (..., A).
    log_gamma
        log gamma, shape (..., 1), or (..., 0) where no axis varies.
    s
        Scales, shape (n, A).

    Returns
    -------
    Array
        Shape (..., n).
    """
    if not s.shape[1]:
        return np.zeros((*log_a.shape[:-1], len(s)))
    gamma = np.exp(log_gamma)
    here = np.exp(log_a[..., None, :] - alpha[..., None, :] * s).sum(-1)
    middle = np.exp(log_a).sum(-1)[..., None]
    return np.asarray(np.log1p(here**gamma) - np.log1p(middle**gamma))


def floor_jacobian(
    log_a: Array, alpha: Array, log_gamma: Array, s: Array
) -> tuple[Array, Array, Array]:
    """Derivatives of `floor` by log A and alpha, each (n, A), and by log gamma (n, 1)."""
    if not s.shape[1]:
        empty = np.zeros((len(s), 0))
        return empty, empty, empty
    gamma = np.exp(log_gamma)
    power, a = np.exp(log_a - alpha * s), np.exp(log_a)
    here, middle = power.sum(1, keepdims=True), a.sum()
    share, share0 = _share(here, gamma), _share(middle, gamma)
    by_power = share * gamma * power / here
    by_gamma = gamma * (share * np.log(here) - share0 * np.log(middle))
    return by_power - share0 * gamma * a / middle, -s * by_power, by_gamma


def _share(total: Array, gamma: Array) -> Array:
    raised = total**gamma
    return np.asarray(raised / (1.0 + raised))
