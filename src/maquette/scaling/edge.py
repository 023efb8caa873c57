"""The edge of divergence: a second likelihood beside the loss.

    logit P(diverged) = b_0 + sum_j b_j u_j + sum_a c_a s_a,  u = x - x*(s)

Runs without a finite loss are no observations of the loss; they say where training breaks. The
edge moves with the optimum, and, if the data insists, on its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.scaling.coordinates import Array

# A run at the optimum seldom diverges; slopes are in logits per e-fold.
PRIOR_MEAN, PRIOR_SD = -4.0, 1.5
SLOPE_SD, SCALE_SD = 3.0, 0.3

# A diverged run is made again: half of the compute is lost, and doubling compute usually buys
# about this much of the loss (exponent of loss in compute 0.05, Kaplan et al. 2020).
COST = 0.05 * math.log(2.0)


@final
@dataclass(frozen=True, slots=True)
class Edge:
    """Coefficients of the edge, (1 + p + A,), their covariance, and how well it separates.

    ``diverged`` and ``finished`` count runs; ``skill`` is the share of the log likelihood of a
    constant rate that settings and scale explain.
    """

    coefficients: Array
    covariance: Array
    diverged: int
    finished: int
    skill: float

    def probability(self, u: Array, s: Array) -> Array:
        """Probability of divergence at offsets u (..., p) from the optimum and scale s (A,)."""
        b, p = self.coefficients, u.shape[-1]
        logit = b[0] + u @ b[1 : 1 + p] + float(s @ b[1 + p :])
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -60.0, 60.0))))


def fit_edge(u: Array, s: Array, diverged: Array) -> Edge | None:
    """Fit the edge by penalised logistic regression (Newton steps).

    Parameters
    ----------
    u, s
        Offsets from the optimum (n, p), NaN where inactive, and scales (n, A) of all runs.
    diverged
        1 for diverged runs, 0 for finished ones (n,).

    Returns
    -------
    Edge or None
        None where nothing diverged.
    """
    bad = float(diverged.sum())
    if not bad:
        return None
    z = np.concatenate([np.ones((len(u), 1)), np.nan_to_num(u, nan=0.0), s], 1)
    mean = np.zeros(z.shape[1])
    mean[0] = PRIOR_MEAN
    sd = np.concatenate([[PRIOR_SD], np.full(u.shape[1], SLOPE_SD), np.full(s.shape[1], SCALE_SD)])
    b, hessian = mean.copy(), np.diag(sd**-2.0)
    for _ in range(50):
        prob = 1.0 / (1.0 + np.exp(-np.clip(z @ b, -60.0, 60.0)))
        gradient = z.T @ (diverged - prob) - (b - mean) / sd**2
        hessian = (z.T * (prob * (1 - prob))) @ z + np.diag(sd**-2.0)
        step = np.linalg.solve(hessian, gradient)
        b = b + step * min(1.0, 2.0 / (float(np.max(np.abs(step))) + 1e-12))
        if np.max(np.abs(step)) < 1e-8:
            break
    prob = np.clip(1.0 / (1.0 + np.exp(-np.clip(z @ b, -60.0, 60.0))), 1e-12, 1 - 1e-12)
    like = float(np.sum(diverged * np.log(prob) + (1 - diverged) * np.log1p(-prob)))
    rate = bad / len(diverged)
    null = bad * math.log(rate) + (len(diverged) - bad) * math.log1p(-min(rate, 1 - 1e-9))
    skill = 1.0 - like / null if null < 0 else 0.0
    covariance = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
    return Edge(b, covariance, int(bad), int(len(diverged) - bad), skill)
