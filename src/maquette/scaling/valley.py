"""The valley: the relative excess of a run whose settings are off the optimum by u.

Each setting has a convex, possibly asymmetric well

    kappa g(u),  g(u) = (e^{k u} - 1 - k u) / k^2  =  u^2/2 + k u^3/6 + ...

(steeper above the optimum for k > 0), that turns from quadratic to linear at about |u| = 1 / h.
Wells are joined through their signed roots, which grow slowly on the gentle side and fast on the
steep one:

    r = sign(u) sqrt(2 kappa g(u)) (1 + h^2 u^2)^(-1/4)

    V = |M r + T |r| / 2|^2 / 2,  M = I + Q/2,  Q symmetric, Q and T with zero diagonals.

V is never negative, is zero at u = 0, and does not depend on the order of the settings. Q lets the
best value of one setting shift with another that is off its optimum; T lets that shift differ
between the two sides, as the best learning rate falls with a batch below the optimal one and
saturates above it.
"""

from __future__ import annotations

import numpy as np

from maquette.scaling.coordinates import Array

CORNER = 0.05  # |r| is rounded where the excess is about a tenth of a percent
_CLIP = 40.0  # e^40 is far beyond any loss; it keeps far rows finite


def root(v: Array) -> tuple[Array, Array]:
    """Return psi(v) = sqrt(2 (e^v - 1 - v) / v^2) and its derivative."""
    v = np.clip(v, -1e6, _CLIP)
    small = np.abs(v) < 1e-2
    w = np.where(small, 1.0, v)
    grown = np.expm1(w)
    phi = np.where(small, _series(v), 2.0 * (grown - w) / w**2)
    slope = np.where(small, 1.0 / 3.0 + v / 6.0 + v**2 / 20.0, 2.0 * (grown / w - phi) / w)
    psi = np.sqrt(phi)
    return psi, slope / (2.0 * psi)


def root_only(v: Array) -> Array:
    """Return psi(v) alone, for the many draws that need no derivative."""
    v = np.clip(v, -1e6, _CLIP)
    phi = np.expm1(v)
    phi -= v
    with np.errstate(divide="ignore", invalid="ignore"):
        phi *= 2.0 / v**2
    small = np.abs(v) < 1e-2
    phi[small] = _series(v[small])
    return np.sqrt(phi)


def _series(v: Array) -> Array:
    return np.asarray(1.0 + v / 3.0 + v**2 / 12.0 + v**3 / 60.0)


def mixing(q: Array, p: int) -> Array:
    """Build M = I + Q/2, shape (..., p, p), from the pairs q, shape (..., p (p-1) / 2)."""
    m = np.zeros((*q.shape[:-1], p, p))
    i, j = np.triu_indices(p, 1)
    m[..., i, j] = q / 2.0
    m[..., j, i] = q / 2.0
    m[..., np.arange(p), np.arange(p)] = 1.0
    return m


def siding(t: Array, p: int) -> Array:
    """Build T/2 with zero diagonal, shape (..., p, p), from the ordered pairs t (..., p (p-1))."""
    out = np.zeros((*t.shape[:-1], p, p))
    i, j = np.nonzero(~np.eye(p, dtype=bool))
    out[..., i, j] = t / 2.0
    return out


def fold(r: Array) -> tuple[Array, Array]:
    """Return the smooth absolute value |r| and its derivative."""
    length = np.sqrt(r**2 + CORNER**2)
    return length - CORNER, r / length


def roots(u: Array, log_kappa: Array, k: Array, h2: Array) -> Array:
    """Signed roots r, shape (..., n, p), of u, log kappa (..., n, p) and k, h^2 (..., p)."""
    bend = np.sqrt(np.sqrt(1.0 + h2[..., None, :] * u**2))
    return np.asarray(np.exp(log_kappa / 2.0) * u * root_only(k[..., None, :] * u) / bend)


def joined(r: Array, m: Array, t: Array) -> Array:
    """w = M r + T |r| / 2, shape (..., n, p), of signed roots r (..., n, p)."""
    swap = np.swapaxes(t, -1, -2)
    return np.asarray(r @ m + fold(r)[0] @ swap)  # M is symmetric


def valley(u: Array, log_kappa: Array, k: Array, h2: Array, m: Array, t: Array) -> Array:
    """Relative excess V, shape (..., n); NaN in u (an inactive setting) costs nothing."""
    r = roots(np.nan_to_num(u, nan=0.0), log_kappa, k, h2)
    w = joined(r, m, t)
    return np.asarray(0.5 * np.einsum("...p,...p->...", w, w))


def valley_jacobian(
    u: Array, log_kappa: Array, k: Array, h2: Array, m: Array, t: Array
) -> tuple[Array, Array, Array, Array, Array, Array, Array]:
    """V and its derivatives by u, log kappa, k (each (n, p)), q, log h^2 and t."""
    u = np.nan_to_num(u, nan=0.0)
    psi, dpsi = root(k * u)
    far = h2 * u**2
    scale = np.exp(log_kappa / 2.0) * (1.0 + far) ** -0.25
    r = scale * u * psi
    folded, slope = fold(r)
    w = r @ m + folded @ t.T
    dr = w @ m + slope * (w @ t)  # dV/dr
    by_u = dr * scale * (psi * (1.0 - 0.5 * far / (1.0 + far)) + k * u * dpsi)
    by_k = dr * scale * u * u * dpsi
    by_h = -0.25 * dr * r * far / (1.0 + far)
    i, j = np.triu_indices(u.shape[1], 1)
    by_q = 0.5 * (w[:, i] * r[:, j] + w[:, j] * r[:, i])
    i, j = np.nonzero(~np.eye(u.shape[1], dtype=bool))
    by_t = 0.5 * w[:, i] * folded[:, j]
    return 0.5 * (w * w).sum(1), by_u, dr * r / 2.0, by_k, by_q, by_h, by_t
