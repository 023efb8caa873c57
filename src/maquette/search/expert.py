"""Expert priors: what is believed of the optimum before any run steers the search, and wears off.

A prior pi of a parameter says where its optimum is believed to lie. An acquisition function alpha
is multiplied [1, eq. 6], in logs

    log alpha(x) + w log pi(x),        w = trust beta / n,

with n the number of ended trials, so that the prior decides the first proposals and the results the
later ones. A prior may be wrong, and that shall cost little:

- it is mixed with a uniform one, pi' = (1 - epsilon) pi + epsilon, so that no config is ruled out;
- `trust` falls where results speak against it: it is the chance, were prior and losses unrelated,
  that configs the prior favours do as badly against the others as they did; 1 where they do better;
- of the initial design only every other config is drawn from the prior (`maquette.search.sobol`).

References
----------
.. [1] C. Hvarfner, D. Stoll, A. Souza, M. Lindauer, F. Hutter and L. Nardi. piBO: Augmenting
       Acquisition Functions with User Beliefs for Bayesian Optimization. ICLR 2022.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from maquette.history import History
from maquette.search.acquisition import Target
from maquette.space import Space
from maquette.surrogate.embedding import Embedding
from maquette.surrogate.gp import Points
from maquette.surrogate.scores import midranks

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BETA = 10.0  # a tenth of 100 trials, what [1] recommends
EPSILON = 0.1
# Below this weight a prior decides nothing any more.
LEAST = 1e-3
_STEP = 1e-5  # of the central differences; exact for the logarithm of a normal density


@final
@dataclass(frozen=True, slots=True)
class Expert:
    """The priors of a space, in the coordinates of its domain, and the weight they have by now.

    Parameters
    ----------
    space
        Whose parameters have the priors.
    domain
        In whose coordinates rows are; see `maquette.search.climb.Ground`.
    weight
        The exponent w of the prior.
    """

    space: Space
    domain: Space
    weight: float

    def __call__(self, X: Array, active: Mask) -> Array:
        """Return log pi' at rows (m, d) of the domain, shape (m,)."""
        return log_prior(self.space, self.domain, X, active)

    def centre(self) -> Array:
        """Return the row (1, d) of the domain where the priors are centred."""
        return self._at_prior(np.full((1, self.space.dimensions), 0.5))

    def draw(self, rng: np.random.Generator, m: int) -> Array:
        """Return m rows of the domain (m, d) drawn from the priors."""
        return self._at_prior(rng.random((m, self.space.dimensions)))

    def _at_prior(self, unit: Array) -> Array:
        """Return the rows of the domain where the priors put rows (m, d) of the unit cube."""
        rows = self.space.at_prior(unit)
        return rows if self.space is self.domain else self.domain.carry(self.space, rows)[0]

    def why(self, row: Array, active: Mask) -> dict[str, float]:
        """Return the reasons that a suggestion at one row (d,) gets."""
        value = float(self(row[None], active[None])[0])
        return {"log_prior": value, "prior_weight": self.weight}

    def weighing(self, target: Target, embed: Embedding) -> Target:
        """Return a target, in logs, multiplied by the prior to the power of its weight."""
        return _Weighed(target, self, embed)


def expert(history: History) -> Expert | None:
    """Return the priors of a history's space; None if there are none, or they have worn off."""
    space, finished = history.space, history.finished
    if all(p.prior is None for p in space.values()) or len(finished) * LEAST > BETA:
        return None
    ok = np.isfinite(finished.losses).all(axis=1) & ~(finished.violation > 0)
    value = log_prior(space, history.domain, finished.X[ok], finished.active[ok])
    weight = trust(value, finished.losses[ok]) * BETA / max(len(finished), 1)
    return Expert(space, history.domain, weight) if weight >= LEAST else None


def log_prior(space: Space, domain: Space, X: Array, active: Mask) -> Array:
    """Return log((1 - epsilon) pi + epsilon) at rows (m, d) of the domain, shape (m,)."""
    if not len(X):
        return np.empty(0)
    rows, mask = (X, active) if space is domain else space.carry(domain, X)
    each = np.where(mask, space.log_prior(rows), 0.0)
    return np.asarray(
        np.logaddexp(math.log1p(-EPSILON) + each.sum(axis=1), math.log(EPSILON)), dtype=float
    )


def trust(value: Array, losses: Array) -> float:
    """Return how far n results (n, metrics) bear out a prior whose logarithms are `value` (n,).

    Twice the lower tail of Spearman's rank correlation of prior and merit, 1 at most; with several
    metrics that of the one which speaks for it most.
    """
    n = len(value)
    if n < 3:
        return 1.0
    favour = midranks(value) - 0.5 * n
    best = -1.0
    for loss in losses.T:
        merit = 0.5 * n - midranks(loss)
        norm = math.sqrt(float(favour @ favour) * float(merit @ merit))
        best = max(best, float(favour @ merit) / norm if norm > 0 else 0.0)
    return min(1.0, 2.0 * float(ndtr(best * math.sqrt(n - 1))))


@final
@dataclass(frozen=True, slots=True)
class _Weighed:
    """A target plus the weighed logarithm of the prior."""

    target: Target
    expert: Expert
    embed: Embedding

    def __call__(self, at: Points) -> Array:
        return np.asarray(self.target(at) + self.expert.weight * self.expert(*self._rows(at)))

    def gradient(self, at: Points) -> tuple[float, Array]:
        value, slope = self.target.gradient(at)
        X, active = self._rows(at)
        numeric, weight = self.embed.numeric, self.expert.weight
        k = len(numeric)
        around = np.repeat(X, 2 * k + 1, axis=0)
        around[np.arange(k), numeric] += _STEP
        around[k + np.arange(k), numeric] -= _STEP
        log_pi = self.expert(around, np.repeat(active, 2 * k + 1, axis=0))
        slope = slope.copy()
        slope[:k] += weight * (log_pi[:k] - log_pi[k : 2 * k]) / (2.0 * _STEP)
        return value + weight * float(log_pi[-1]), slope

    def _rows(self, at: Points) -> tuple[Array, Mask]:
        """Return the rows (m, d) and masks that points were embedded from, constants aside."""
        return self.embed.rows(at.Z, self.expert.domain)
