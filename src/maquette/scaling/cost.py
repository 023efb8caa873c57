"""What one run of the target costs, from what the proxies cost.

A power law of the axes, log cost = a + b . log s, with b = 1 for each axis a priori (compute grows
as the product of parameters and tokens) give or take a half: Bayesian linear regression, and the
Student-t interval of one more run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import stats

from maquette.errors import ScaleError
from maquette.scaling.recipe import Estimate

EXPONENT = (1.0, 0.5)
LEAST = 0.05  # e-folds of noise: no two machines run at one speed
PRIOR_ROWS = 2.0


def expected_cost(
    costs: Sequence[float], scales: Sequence[Sequence[float]], target: Sequence[float]
) -> Estimate | None:
    """Return the cost of one run at a target with its 90 % interval.

    Parameters
    ----------
    costs
        Of runs that went to their end, in any one unit; those that are not positive are left out.
    scales
        Of those runs, positive, in the order of the target's axes (n, A).
    target
        The scale to price (A,).

    Returns
    -------
    cost
        None where no run has a cost.
    """
    kept = [i for i, c in enumerate(costs) if math.isfinite(c) and c > 0]
    if not kept:
        return None
    y = np.log([costs[i] for i in kept])
    s = np.log(np.asarray([scales[i] for i in kept], dtype=np.float64).reshape(len(kept), -1))
    at = np.log(np.asarray(target, dtype=np.float64))
    middle = s.mean(0)
    z, x = np.column_stack([np.ones(len(y)), s - middle]), np.concatenate([[1.0], at - middle])
    mean = np.asarray([0.0, *[EXPONENT[0]] * s.shape[1]])
    # In units of the noise, which the exponents' spread is not: a guess of it, then the estimate.
    noise = LEAST
    for _ in range(3):
        penalty = np.diag([0.0, *[(noise / EXPONENT[1]) ** 2] * s.shape[1]])
        hessian = z.T @ z + penalty
        beta = np.linalg.solve(hessian, z.T @ y + penalty @ mean)
        squares = float(((y - z @ beta) ** 2).sum())
        noise = math.sqrt((squares + PRIOR_ROWS * LEAST**2) / (len(y) + PRIOR_ROWS))
    spread = noise * math.sqrt(1.0 + float(x @ np.linalg.solve(hessian, x)))
    half = float(stats.t.ppf(0.95, len(y) + PRIOR_ROWS)) * spread
    best = float(x @ beta)
    return Estimate(math.exp(best), math.exp(best - half), math.exp(best + half))


@final
@dataclass(frozen=True, slots=True)
class Paid:
    """What runs cost.

    Attributes
    ----------
    axes
        Of the scale.
    costs, scales
        Of each run: as `expected_cost` takes them.
    unit
        Of the costs.
    """

    axes: tuple[str, ...]
    costs: Sequence[float]
    scales: Sequence[Sequence[float]]
    unit: str

    def at(self, place: Mapping[str, float]) -> Estimate | None:
        """Return what one run costs at a scale; None where no run has a cost."""
        return expected_cost(self.costs, self.scales, [place[axis] for axis in self.axes])

    def price(self, place: Mapping[str, float]) -> float:
        """Return the middle of what one run costs at a scale, the price of a proxy there.

        Raises
        ------
        ScaleError
            If no run has a cost.
        """
        found = self.at(place)
        if found is None:
            raise ScaleError([f"no run that went to its end has a positive {self.unit}"])
        return found.mean
