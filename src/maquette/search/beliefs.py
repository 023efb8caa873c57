"""What finished trials teach of one loss, those that were stopped early included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.history import Problem
from maquette.surrogate.carried import Carried, trend
from maquette.surrogate.gp import Points
from maquette.surrogate.mixture import mixture
from maquette.surrogate.observations import Observations, observe
from maquette.surrogate.plausible import Plausible
from maquette.surrogate.protocol import Predictive
from maquette.surrogate.refit import Refits, part
from maquette.trial import State

Array = NDArray[np.float64]

# A search is conditioned on at most so many observations: it is asked at every turn, and what lies
# near the best counts. A recommendation is conditioned on twice as many.
MOST_SEARCHED = 400


@final
@dataclass(frozen=True, slots=True)
class Belief:
    """The observations of one loss, and the posterior of it in standard units."""

    seen: Observations
    posterior: Predictive

    def mean(self, at: Points) -> Array:
        """Return the posterior mean at m points, shape (m,)."""
        return self.posterior.predict(at)[0]

    def predicted(self, at: Points, scale: Array) -> tuple[float, float]:
        """Return mean and standard deviation of the loss itself at one point, in a cell."""
        mean, variance = self.posterior.predict(at)
        loss, sd = self.seen.losses(mean, np.sqrt(variance), scale)
        return float(loss[0]), float(sd[0])

    def believing(self, at: Points) -> Belief:
        """Return the belief that has also seen its own mean at m points."""
        return Belief(self.seen, self.posterior.believing(at))


def believe(problem: Problem, finished: Finished, refits: Refits[Plausible]) -> Belief:
    """Return what finished trials, with one loss, teach of it."""
    theta = refits(problem, finished)
    seen = observe(problem, finished)
    points, y = part(seen, MOST_SEARCHED)
    posterior = _conditioned(problem, theta, points, y)
    stopped = np.flatnonzero(finished.state == State.STOPPED)
    if len(stopped) and len(y):
        lost = seen.place_trials(finished, stopped)
        bad = np.maximum(posterior.predict(lost)[0], float(np.median(y)))
        points, y = points.joined(lost), np.concatenate([y, bad])
        posterior = _conditioned(problem, theta, points, y)
    return Belief(seen, posterior)


def _conditioned(problem: Problem, theta: Plausible, points: Points, y: Array) -> Predictive:
    """Return the posterior after values y (n,) at n points, on the trend of pasts if any."""
    one = len(problem.objective.metrics) == 1
    carried = trend(problem, points, y) if problem.past and one else None
    if carried is None:
        return mixture(theta, points, y)
    return Carried(mixture(theta, points, y - carried(points)), carried)
