"""Whether any config can keep the bounds on metrics, as far as models of them are sure.

A study is infeasible once even the optimistic end of every config's interval breaks some bound [1]:

    min_x max_i (m_i(x) - beta s_i(x) - limit_i) > 0

It is looked for among many configs drawn over the space, and around those that come nearest.

References
----------
.. [1] W. Xu, Y. Jiang, B. Svetozarevic and C. N. Jones. Constrained Efficient Global Optimization
       of Expensive Black-box Functions. ICML 2023. (CONFIG, algorithm 1.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.columns import Finished
from maquette.history import History
from maquette.surrogate.observations import Observations, observe
from maquette.surrogate.posterior import Posterior, condition
from maquette.surrogate.refit import learn_hyperparameters, part
from maquette.surrogate.threads import single_threaded
from maquette.trial import State

Array = NDArray[np.float64]

BETA = 3.0
LEAST = 12  # trials with all metrics under bounds, below which nothing is certain
DRAWS, ROUNDS, NEAREST = 2_048, 3, 32
STEPS = (0.1, 0.03, 0.01)


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of whether bounds can be kept.

    Attributes
    ----------
    certain
        Whether no config keeps all bounds, as far as the models are sure.
    worst
        The metric whose bound is broken most, in standard deviations, where they come nearest to
        being kept.
    """

    certain: bool
    worst: str


@single_threaded
def infeasible(history: History) -> Verdict | None:
    """Return whether the bounds can be kept; None where that is not open to question.

    One trial that keeps them settles it, and below a dozen trials nothing is certain.
    """
    finished, names = history.finished, list(history.objective.constraints)
    done = np.flatnonzero((finished.state == State.DONE) & np.isfinite(finished.violation))
    if not names or len(done) < LEAST or not (finished.violation[done] > 0).all():
        return None
    scale = finished.scale[done[-1:]]
    models = [_model(history, finished, c) for c in range(len(names))]
    rng = np.random.default_rng([history.problem.seed, len(done)])
    space = history.space
    rows, least, worst = rng.random((DRAWS, space.dimensions)), np.inf, 0
    for step in STEPS[:ROUNDS]:
        X, active = space.project(rows)
        kept = space.feasible(X)
        X, active = X[kept], active[kept]
        if not len(X):
            return None
        value = np.stack([_optimistic(m, history, X, active, scale) for m in models], axis=1)
        highest = value.max(axis=1)
        order = np.argsort(highest, kind="stable")[:NEAREST]
        if highest[order[0]] < least:
            least, worst = float(highest[order[0]]), int(np.argmax(value[order[0]]))
        around = np.repeat(X[order], DRAWS // NEAREST, axis=0)
        rows = np.clip(around + step * rng.standard_normal(around.shape), 0.0, 1.0)
    return Verdict(least > 0.0, names[worst])


def _model(history: History, finished: Finished, c: int) -> tuple[Observations, Posterior]:
    """Return the model of how far the c-th bound is exceeded."""
    excess = finished.of_bounds().metric(c)
    seen = observe(history.problem, excess)
    theta = learn_hyperparameters(history.problem, excess)
    return seen, condition(theta, *part(seen))


def _optimistic(
    model: tuple[Observations, Posterior],
    history: History,
    X: Array,
    active: NDArray[np.bool_],
    scale: Array,
) -> Array:
    """Return by how many standard deviations the bound is broken at best, less beta."""
    seen, posterior = model
    if history.domain is not history.space:
        X, active = history.domain.carry(history.space, X)
    at = seen.place(X, active, np.repeat(scale, len(X), axis=0))
    mean, variance = posterior.predict(at)
    limit = float(seen.standard(0.0, scale)[0])
    return np.asarray((mean - limit) / np.sqrt(variance) - BETA)
