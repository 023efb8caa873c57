"""Weak priors that know no names.

The literature enters through sizes alone: how large drift exponents, scaling exponents,
curvatures and asymmetries usually are. Published laws for the optimum disagree in sign from
column to column (learning rate against parameters -0.71, -0.36, -0.23, against tokens 0.31,
-0.32; batch against tokens 0.57, 0.47, 0.38, against parameters 0.70; learning rate one over
width under standard parametrization), so drift is centred at none with their root mean square,
0.55, as its spread.

References
----------
Li et al. (2025), "Predictable Scale: Part I", arXiv:2503.04715. Bjorck et al. (2024),
arXiv:2409.19913. Porian et al. (2024), arXiv:2406.19146. Bergsma et al. (2025),
arXiv:2505.13738. DeepSeek-AI (2024), arXiv:2401.02954.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.scaling.coordinates import Array, Axis, Setting
from maquette.scaling.literature import Statement
from maquette.scaling.mean import Layout


@final
@dataclass(frozen=True, slots=True)
class Sizes:
    """Spreads of the priors (natural logs unless said otherwise).

    Attributes
    ----------
    drift
        Spread of an exponent of the optimum in an axis of scale.
    log_kappa, log_kappa_sd
        Curvature: relative excess per squared e-fold, about 1 % a factor of e away.
    kappa_drift
        Spread of the exponent of the curvature in an axis.
    k, k_sd
        Asymmetry of settings in log coordinates: far above the optimum the excess grows like
        the setting itself (k = 1) to its square (k = 2), far below it flattens; centred at 0
        for linear ones.
    pair_sd, side, side_sd
        Coupling of two settings, and what its sides share: when one setting is off its optimum,
        the best value of another tends to fall.
    log_h2, log_h2_sd
        Where a well turns from quadratic to linear, as log h^2.
    alpha, alpha_sd
        Exponent of the floor in an axis.
    log_gamma, log_gamma_sd
        Power of the reducible part: between published fits at 0.31 to 0.45 and at 1.
    log_a, log_a_sd
        Reducible part over irreducible part at the middle of the scales.
    choice_floor, choice_shift
        Spread of what a choice does to the floor (relative) and to the optimum.
    """

    drift: float = 0.55
    log_kappa: float = math.log(0.02)
    log_kappa_sd: float = 1.5
    kappa_drift: float = 0.15
    k: float = 1.3
    k_sd: float = 1.0
    pair_sd: float = 0.5
    side: float = 0.4
    side_sd: float = 0.5
    log_h2: float = math.log(0.05)
    log_h2_sd: float = 1.2
    alpha: float = 0.4
    alpha_sd: float = 0.25
    log_gamma: float = -0.4
    log_gamma_sd: float = 0.5
    log_a: float = math.log(0.5)
    log_a_sd: float = 1.0
    choice_floor: float = 0.1
    choice_shift: float = 0.5


@final
@dataclass(frozen=True, slots=True)
class Laws:
    """Statements about sums of parameters: rows (R, P) of theta have means and spreads (R,)."""

    rows: Array
    mean: Array
    sd: Array

    @property
    def precision(self) -> Array:
        """What the statements add to the Hessian (P, P)."""
        return np.asarray((self.rows.T / self.sd**2) @ self.rows)

    def pull(self, theta: Array) -> Array:
        """What the statements add to the gradient (P,)."""
        return np.asarray(self.rows.T @ ((self.mean - self.rows @ theta) / self.sd**2))

    def cost(self, theta: Array) -> Array:
        """Sum of squared misses of theta (..., P), in their spreads."""
        return np.asarray((((theta @ self.rows.T - self.mean) / self.sd) ** 2).sum(-1))


def laws_of(
    statements: Sequence[Statement],
    layout: Layout,
    settings: Sequence[Setting],
    axes: Sequence[Axis],
) -> Laws:
    """Turn statements about exponents into statements about theta.

    Those about a setting or an axis that the columns do not vary, or about a setting that is not
    taken in log, say nothing here.

    Parameters
    ----------
    statements
        What is known of the drift.
    layout
        Where parameters lie.
    settings, axes
        The varying numeric settings and axes, in the order of the columns of x and s.
    """
    at = {
        (setting.name, axis.name): layout.starts[3] + (1 + i) * layout.p + j
        for j, setting in enumerate(settings)
        if setting.kind == "log"
        for i, axis in enumerate(axes)
    }
    kept = [s for s in statements if all(pair in at for pair in s.weights)]
    rows = np.zeros((len(kept), layout.starts[-1]))
    for row, statement in zip(rows, kept, strict=True):
        for pair, weight in statement.weights.items():
            row[at[pair]] = weight
    return Laws(rows, np.asarray([s.mean for s in kept]), np.asarray([s.sd for s in kept]))


def prior(
    layout: Layout,
    settings: Sequence[Setting],
    level: float,
    sizes: Sizes,
    drifts: tuple[Array, Array],
) -> tuple[Array, Array]:
    """Prior mean and spread of theta, each of shape (P,).

    Parameters
    ----------
    layout
        Where parameters lie.
    settings
        The varying numeric settings, in the order of the columns of x.
    level
        A typical log loss.
    sizes
        The spreads.
    drifts
        Mean and spread of the drift exponents, each of shape (A, p).
    """
    p, a = layout.p, layout.a
    centre, spread = layout.split(np.zeros(layout.starts[-1])), np.ones(layout.starts[-1])
    c = layout.starts
    mean = np.zeros(c[-1])
    mean[c[0] : c[1]], spread[c[0] : c[1]] = sizes.log_a, sizes.log_a_sd
    mean[c[1] : c[2]], spread[c[1] : c[2]] = sizes.alpha, sizes.alpha_sd
    mean[c[2]], spread[c[2]] = level, 2.0
    spread[c[2] + 1 : c[3]] = sizes.choice_floor
    b_mean, b_sd = np.zeros(centre.b.shape), np.full(centre.b.shape, sizes.choice_shift)
    b_sd[0] = [max(1.0, (s.high - s.low) / 2) for s in settings]
    b_mean[1 : 1 + a], b_sd[1 : 1 + a] = drifts
    mean[c[3] : c[4]], spread[c[3] : c[4]] = b_mean.ravel(), b_sd.ravel()
    k_mean, k_sd = np.zeros((1 + a, p)), np.full((1 + a, p), sizes.kappa_drift)
    k_mean[0], k_sd[0] = sizes.log_kappa, sizes.log_kappa_sd
    mean[c[4] : c[5]], spread[c[4] : c[5]] = k_mean.ravel(), k_sd.ravel()
    mean[c[5] : c[6]] = [0.0 if s.kind == "linear" else sizes.k for s in settings]
    spread[c[5] : c[6]] = sizes.k_sd
    # Of all others together: as many settings as there are pull at each one's best value.
    others = max(p - 1, 1)
    spread[c[6] : c[7]] = sizes.pair_sd / math.sqrt(others)
    mean[c[7] : c[8]], spread[c[7] : c[8]] = sizes.log_h2, sizes.log_h2_sd
    mean[c[8] : c[9]] = sizes.side / others
    spread[c[8] : c[9]] = sizes.side_sd / math.sqrt(others)
    mean[c[9] : c[10]], spread[c[9] : c[10]] = sizes.log_gamma, sizes.log_gamma_sd
    return mean, spread
