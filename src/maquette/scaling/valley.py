"""The valley: the relative excess of a run whose settings are off the optimum by u.

Each setting has a convex, possibly asymmetric well

    kappa g(u),  g(u) = (e^{k u} - 1 - k u) / k^2  =  u^2/2 + k u^3/6 + ...

(steeper above the optimum for k > 0). Wells are joined through their signed roots
r = sign(u) sqrt(2 kappa g(u)), which grow slowly on the gentle side and fast on the steep one:

    V = |M r|^2 / 2,  M = I + Q/2,  Q symmetric with zero diagonal.

V is never negative, has its only minimum at u = 0, does not depend on the order of the settings,
and lets the best value of one setting shift with another that is off its optimum, saturating
where wells flatten.
"""

from __future__ import annotations

import numpy as np

from maquette.scaling.coordinates import Array

_CLIP = 40.0  # e^40 is far beyond any loss; it keeps far rows finite


def root(v: Array) -> tuple[Array, Array]:
    """Return psi(v) = sqrt(2 (e^v - 1 - v) / v^2) and its derivative."""
    v = np.clip(v, -1e6, _CLIP)
    small = np.abs(v) < 1e-2
    w = np.where(small, 1.0, v)
    phi = 2.0 * (np.expm1(w) - w) / w**2
    dphi = 2.0 * np.expm1(w) / w**2 - 2.0 * phi / w
    series = 1.0 + v / 3.0 + v**2 / 12.0 + v**3 / 60.0
    dseries = 1.0 / 3.0 + v / 6.0 + v**2 / 20.0
    phi = np.where(small, series, phi)
    dphi = np.where(small, dseries, dphi)
    psi = np.sqrt(phi)
    return psi, dphi / (2.0 * psi)


def mixing(q: Array, p: int) -> Array:
    """Build M = I + Q/2, shape (..., p, p), from the pairs q, shape (..., p (p-1) / 2)."""
    m = np.zeros((*q.shape[:-1], p, p))
    i, j = np.triu_indices(p, 1)
    m[..., i, j] = q / 2.0
    m[..., j, i] = q / 2.0
    m[..., np.arange(p), np.arange(p)] = 1.0
    return m


def roots(u: Array, log_kappa: Array, k: Array) -> Array:
    """Signed roots r, shape (..., n, p), of u (..., n, p), log kappa (..., n, p), k (..., p)."""
    psi, _ = root(k[..., None, :] * u)
    return np.asarray(np.exp(log_kappa / 2.0) * u * psi)


def valley(u: Array, log_kappa: Array, k: Array, m: Array) -> Array:
    """Relative excess V, shape (..., n); NaN in u (an inactive setting) costs nothing."""
    r = roots(np.nan_to_num(u, nan=0.0), log_kappa, k)
    w = r @ m  # M is symmetric
    return np.asarray(0.5 * np.einsum("...p,...p->...", w, w))


def valley_jacobian(
    u: Array, log_kappa: Array, k: Array, m: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """V and its derivatives by u, log kappa, k (each (n, p)) and by the pairs q (n, pairs)."""
    u = np.nan_to_num(u, nan=0.0)
    psi, dpsi = root(k * u)
    scale = np.exp(log_kappa / 2.0)
    r = scale * u * psi
    w = r @ m
    dr = w @ m  # dV/dr
    by_u = dr * scale * (psi + k * u * dpsi)
    by_k = dr * scale * u * u * dpsi
    i, j = np.triu_indices(u.shape[1], 1)
    by_q = 0.5 * (w[:, i] * r[:, j] + w[:, j] * r[:, i])
    return 0.5 * (w * w).sum(1), by_u, dr * r / 2.0, by_k, by_q
