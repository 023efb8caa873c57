"""What the hyperparameters may be: few trials leave them open, and one maximum hides that.

From 25 trials a lengthscale may be told to a factor of three. A model at the most probable
hyperparameters takes them for known: it is too sure of what it predicts, and passes over what would
be good if a setting mattered more than it seems. So predictions are averaged over draws [1] from

    p(theta | y) ~ sum over modes of N(theta*, H^-1),

Laplace's approximation at each maximum of the posterior, with H the curvature there in units of the
prior's standard deviations, no less than half the prior's own. Weighing draws by posterior density
over proposal density and keeping as many as are to be used in proportion (sampling importance
resampling [2]) mends what the approximation misses. The draws are the same for the same data.
Beyond `MOST_AVERAGED` observations the maximum alone is used.

References
----------
.. [1] J. Snoek, H. Larochelle and R. P. Adams. Practical Bayesian Optimization of Machine Learning
       Algorithms. NeurIPS 2012. Section 3.2.
.. [2] D. B. Rubin. Using the SIR Algorithm to Simulate Posterior Distributions. Bayesian
       Statistics 3, 1988.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.surrogate.gp import Hyperparameters, Likelihood, Points, modes

Array = NDArray[np.float64]

MOST_AVERAGED = 64
DRAWN, KEPT = 64, 8
STEP = 1e-3  # of the differences that the curvature is made of, in the prior's deviations
LEAST_CURVATURE = 0.5
# Modes are one if no hyperparameter is farther apart, in the prior's deviations; a mode that is
# less probable than the highest by more than this factor, in logs, is left out.
APART, UNLIKELY = 0.3, 4.0


@final
@dataclass(frozen=True, slots=True)
class Plausible:
    """Hyperparameters that the data leave possible, the most probable first, and their weights."""

    theta: tuple[Hyperparameters, ...]
    weight: tuple[float, ...]


def plausible(points: Points, y: Array) -> Plausible:
    """Return what the hyperparameters may be after values y (n,) at n points."""
    model, found = Likelihood(points, y), modes(points, y)
    if not 1 < len(y) <= MOST_AVERAGED:
        return Plausible((model.unpack(found[0][0]),), (1.0,))
    _, spread = model.prior()
    if len(found) > 1:
        far = np.abs(found[1][0] - found[0][0]) > APART * spread
        if not far.any() or found[1][1] < found[0][1] - UNLIKELY:
            found = found[:1]
    peaks = [_peak(model, vector, value) for vector, value in found]
    vectors = _drawn(peaks)
    lows, highs = np.array(model.bounds()).T
    inside = ((vectors >= lows) & (vectors <= highs)).all(axis=1)
    log_weight = np.full(len(vectors), -math.inf)
    for i in np.flatnonzero(inside):
        log_weight[i] = model.posterior(vectors[i])[0] - _log_density(peaks, vectors[i])
    if not inside.any():
        return Plausible((model.unpack(found[0][0]),), (1.0,))
    weight = np.exp(log_weight - log_weight.max())
    ends = np.cumsum(weight / weight.sum())
    kept = Counter(np.searchsorted(ends, (np.arange(KEPT) + 0.5) / KEPT).tolist())
    chosen = [min(i, len(vectors) - 1) for i in kept]
    return Plausible(
        tuple(model.unpack(vectors[i]) for i in chosen),
        tuple(count / KEPT for count in kept.values()),
    )


@final
@dataclass(frozen=True, slots=True)
class _Peak:
    """A maximum: its vector, log weight, and curvature U diag(values) U' in prior deviations."""

    vector: Array
    log_mass: float
    values: Array
    U: Array
    spread: Array


def _peak(model: Likelihood, vector: Array, value: float) -> _Peak:
    _, spread = model.prior()
    H = np.empty((len(vector), len(vector)))
    for i in range(len(vector)):
        moved = vector.copy()
        moved[i] += STEP * spread[i]
        up = model.posterior(moved)[1]
        moved[i] -= 2.0 * STEP * spread[i]
        H[i] = (model.posterior(moved)[1] - up) * spread / (2.0 * STEP)
    values, U = np.linalg.eigh(0.5 * (H + H.T))
    values = np.maximum(values, LEAST_CURVATURE)
    return _Peak(vector, value - 0.5 * float(np.log(values).sum()), values, U, spread)


def _drawn(peaks: list[_Peak]) -> Array:
    """Return `DRAWN` vectors, in proportion to the mass of the peaks."""
    mass = np.exp(np.array([p.log_mass for p in peaks]) - max(p.log_mass for p in peaks))
    share = np.round(DRAWN * np.cumsum(mass / mass.sum())).astype(int)
    z = np.random.default_rng(DRAWN).standard_normal((DRAWN, len(peaks[0].vector)))
    out, first = np.empty_like(z), 0
    for peak, last in zip(peaks, share.tolist(), strict=True):
        shift = (z[first:last] / np.sqrt(peak.values)) @ peak.U.T
        out[first:last] = peak.vector + peak.spread * shift
        first = last
    return out


def _log_density(peaks: list[_Peak], vector: Array) -> float:
    """Return the log density of the proposal, up to a constant."""
    mass = np.array([p.log_mass for p in peaks])
    mass = mass - np.logaddexp.reduce(mass)
    parts = []
    for peak, share in zip(peaks, mass.tolist(), strict=True):
        z = peak.U.T @ ((vector - peak.vector) / peak.spread)
        parts.append(share + 0.5 * float(np.log(peak.values).sum() - peak.values @ (z * z)))
    return float(np.logaddexp.reduce(parts))
