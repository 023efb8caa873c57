"""The posterior of the drift model: penalised robust least squares, then Laplace and draws.

The mode is found by Levenberg-Marquardt steps with analytic Jacobians; between steps the weights
of rows, the noise and the spreads of the effects of single scales are renewed (EM). Draws come
from a multivariate t around the mode and are resampled by importance.

References
----------
Marquardt (1963), SIAM J. Appl. Math. 11. Dempster, Laird and Rubin (1977), JRSS-B 39.
Ionides (2008), "Truncated Importance Sampling", J. Comput. Graph. Stat. 17.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from maquette.scaling import noise
from maquette.scaling.coordinates import Array
from maquette.scaling.mean import Layout, Rows, mean, mean_jacobian

LEVEL_PRIOR = (2.0, 3e-3)  # effects of single scales on the floor: prior rows, and sd
SHIFT_PRIOR = (4.0, 0.1)  # and on the optimum, in e-folds
T_DRAWS = 8.0  # degrees of freedom of the proposal


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """What is fitted: rows, log losses t (n,), repeats (n,), and the prior of theta."""

    layout: Layout
    rows: Rows
    t: Array
    repeats: Array
    seed_sd: float | None
    prior_mean: Array
    prior_sd: Array
    tau: float

    def take(self, index: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Problem:
        """Return the problem of a subset of rows."""
        return replace(
            self,
            rows=self.rows.take(index),
            t=self.t[index],
            repeats=self.repeats[index],
        )


@final
@dataclass(frozen=True, slots=True)
class Mode:
    """The posterior's mode.

    Attributes
    ----------
    theta, covariance
        Mode (P,) and Laplace covariance (P, P).
    sigma
        Residual sd of a single run near the optimum, in log loss.
    level_sd, shift_sd
        Spread of the effects of single scales on the floor, and on the optimum (p,).
    prior_sd
        Spreads of the prior with those put in (P,).
    weights
        Weight of each row exp(-excess / tau) (n,); ``variance`` its variance factor.
    residual, excess
        Residual and fitted excess of each row (n,).
    """

    theta: Array
    covariance: Array
    sigma: float
    level_sd: float
    shift_sd: Array
    prior_sd: Array
    weights: Array
    variance: Array
    residual: Array
    excess: Array


def find_mode(
    problem: Problem, start: Array, sigma: float = 0.05, steps: int = 60, warm: bool = False
) -> Mode:
    """Climb to the mode from a start (P,) with a first guess of the noise.

    A cold start begins with all rows and narrows to those near the floor; a warm one does not.
    """
    lay, theta, lam = problem.layout, start.copy(), 1e-3
    level_sd, shift_sd = LEVEL_PRIOR[1], np.full(lay.p, SHIFT_PRIOR[1])
    first = problem.tau if warm else max(1.0, problem.tau)
    anneal = np.geomspace(first, problem.tau, 8)
    for step in range(steps):
        tau = float(anneal[min(step, 7)])
        sd = _spreads(problem, level_sd, shift_sd)
        value, v, jac = mean_jacobian(lay, theta, problem.rows)
        residual = problem.t - value
        variance = noise.repeat_variance(problem.repeats, problem.seed_sd, sigma)
        local = noise.locality(residual, v, sigma, tau)
        w = local * noise.student(residual, sigma, variance) / (variance * sigma**2)
        hessian = (jac.T * w) @ jac + np.diag(sd**-2.0)
        gradient = jac.T @ (w * residual) - (theta - problem.prior_mean) / sd**2
        covariance = _inverse(hessian)
        cost = _cost(problem, theta, w, sd)
        move = np.zeros_like(theta)
        for _ in range(8):
            move = np.linalg.solve(hessian + lam * np.diag(np.diag(hessian)), gradient)
            if _cost(problem, theta + move, w, sd) <= cost:
                lam = max(lam / 5.0, 1e-9)
                break
            lam, move = lam * 8.0, np.zeros_like(theta)
        # EM: the expected squares add the posterior's variance to the squares at the mode.
        spread = np.einsum("np,pq,nq->n", jac, covariance, jac, optimize=True)
        old = sigma
        squares = float(np.sum(w * sigma**2 * (residual**2 + spread)))
        sigma = noise.pooled(squares, float(local.sum()), noise.SIGMA_PRIOR)
        theta = theta + move
        level_sd, shift_sd = _effects(problem.layout, theta, covariance)
        small = float(np.max(np.abs(move) / np.sqrt(np.diag(covariance)), initial=0.0))
        if step > 10 and small < 1e-3 and abs(np.log(sigma / old)) < 1e-3:
            break
    return Mode(
        theta=theta,
        covariance=covariance,
        sigma=sigma,
        level_sd=level_sd,
        shift_sd=shift_sd,
        prior_sd=sd,
        weights=local,
        variance=variance,
        residual=problem.t - mean(lay.split(theta), problem.rows),
        excess=v,
    )


def _spreads(problem: Problem, level_sd: float, shift_sd: Array) -> Array:
    lay, c = problem.layout, problem.layout.starts
    sd = problem.prior_sd.copy()
    if lay.cells:
        sd[c[3] - lay.cells : c[3]] = level_sd
        sd[c[4] - lay.cells * lay.p : c[4]] = np.tile(shift_sd, lay.cells)
    return sd


def _effects(lay: Layout, theta: Array, covariance: Array) -> tuple[float, Array]:
    if not lay.cells:
        return LEVEL_PRIOR[1], np.full(lay.p, SHIFT_PRIOR[1])
    second = theta**2 + np.diag(covariance)
    c, n = lay.starts, lay.cells
    level = noise.pooled(float(second[c[3] - n : c[3]].sum()), n, LEVEL_PRIOR)
    shifts = second[c[4] - n * lay.p : c[4]].reshape(n, lay.p).sum(0)
    return level, np.asarray([noise.pooled(float(v), n, SHIFT_PRIOR) for v in shifts])


def _cost(problem: Problem, theta: Array, w: Array, sd: Array) -> float:
    r = problem.t - mean(problem.layout.split(theta), problem.rows)
    value = float(np.sum(w * r**2) + np.sum(((theta - problem.prior_mean) / sd) ** 2))
    return value if np.isfinite(value) else np.inf


def _inverse(hessian: Array) -> Array:
    d = 1.0 / np.sqrt(np.diag(hessian))
    inverse = np.linalg.inv(hessian * d[:, None] * d[None, :])
    return np.asarray(inverse * d[:, None] * d[None, :])


def log_posterior(problem: Problem, mode: Mode, theta: Array) -> Array:
    """Tempered log posterior of draws (S, P), up to a constant, shape (S,)."""
    r = problem.t - mean(problem.layout.split(theta), problem.rows)
    z2 = r**2 / (mode.sigma**2 * mode.variance)
    like = -0.5 * (noise.NU + 1.0) * np.log1p(z2 / noise.NU) @ mode.weights
    return np.asarray(like - 0.5 * (((theta - problem.prior_mean) / mode.prior_sd) ** 2).sum(-1))


def draws(problem: Problem, mode: Mode, count: int, rng: np.random.Generator) -> Array:
    """Draw theta from the posterior, shape (count, P)."""
    size = mode.theta.size
    lower = np.linalg.cholesky(mode.covariance + 1e-14 * np.diag(np.diag(mode.covariance)))
    z = rng.standard_normal((count, size))
    stretch = np.sqrt(T_DRAWS / rng.chisquare(T_DRAWS, count))
    theta = mode.theta + (z * stretch[:, None]) @ lower.T
    square = (z**2).sum(1) * stretch**2
    proposal = -0.5 * (T_DRAWS + size) * np.log1p(square / T_DRAWS)
    log_w = log_posterior(problem, mode, theta) - proposal
    w = np.exp(log_w - log_w.max())
    w = np.minimum(w, w.mean() * np.sqrt(count))
    cumulative = np.cumsum(w) / w.sum()
    pick = np.searchsorted(cumulative, (np.arange(count) + 0.5) / count)
    return np.asarray(theta[np.minimum(pick, count - 1)])
