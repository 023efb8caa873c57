"""CFO, cost-frugal optimisation: FLOW2 from a start that is known to be cheap.

The first trial is the space's default, which should be cheap: small models, few rounds. The search
never steps far from the best it knows, so that costly trials are made only once they pay [1]. When
it has converged it starts again around the defaults, farther away every time. A user's own trials
are where it goes on from, if they are better.

References
----------
.. [1] Q. Wu, C. Wang and S. Huang. Frugal Optimization for Cost-related Hyperparameters. AAAI 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.history import History, Problem
from maquette.rng import generator
from maquette.search.cell import one_metric
from maquette.search.climb import Ground
from maquette.search.flow2 import Ball, Steps, steps_of
from maquette.search.genes import fallback, known, placed, untried
from maquette.search.machine import Told, folded
from maquette.trial import Suggestion

Array = NDArray[np.float64]

# How much farther from the defaults every restart begins, as a share of all ranges.
FARTHER = 0.1
# Worse than any trial.
UNKNOWN = (4, 0.0)
# Names the stream of random numbers of restarts.
_RESTART = 2021


@final
@dataclass(frozen=True, slots=True)
class CFO:
    """Searches frugally from the defaults.

    Parameters
    ----------
    patience
        Trials without an improvement before the step is halved, at least 1; None: 2 d.

    Raises
    ------
    StudyError
        If a parameter is out of range.
    """

    patience: int | None = None

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise StudyError(f"patience must be at least 1, not {self.patience!r}")

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs a step from the best known; the first trial is the defaults."""
        one_metric(history, "cfo")
        out: list[Suggestion] = []
        if not history.trials and n > 0:
            out.append(Suggestion(history.space.defaults(), "default"))
        state = folded(self, history)
        ground, tried = Ground(history.space, history.domain), known(history)
        steps, ball = state.steps, state.ball or state.waiting
        why = {"step": ball.step, "restarts": float(state.restarts)}
        while len(out) < n:
            rows = steps.proposals(ball, rng)
            if state.ball is None and not out and history.trials:
                rows = np.concatenate([ball.z[None], rows])
            one = untried(ground.pool(rows), tried) or fallback(ground, tried, rng)
            tried = tried.joined(one)
            out.append(Suggestion(ground.config(one.X[0]), "cfo", why))
        return out

    def init(self, problem: Problem) -> Frugal:
        """Return the state before the first trial: a step around the defaults."""
        steps = steps_of(problem.evidence, problem.seed, self.patience)
        home = placed(problem.evidence, [problem.space.defaults()])
        z = home.X[0]
        return Frugal(steps, z, Ball(z, z, home.active[0], UNKNOWN, steps.first))

    def step(self, state: Frugal, told: Told) -> Frugal:
        """Return the state after one more trial has ended."""
        steps, ball = state.steps, state.ball
        near = float(steps.near(ball or state.waiting, told.x[None])[0]) <= 1.0
        if ball is None:
            return replace(state, ball=steps.begun(told)) if near or not state.restarts else state
        if not near and (state.restarts or not told.standing < ball.standing):
            return state
        ball = steps.after(ball, told)
        if not steps.converged(ball):
            return replace(state, ball=ball)
        restarts = state.restarts + 1
        rng = generator(steps.seed, _RESTART, restarts)
        space, d = steps.space, len(ball.z)
        away = state.home + FARTHER * restarts * rng.standard_normal(d)
        z = np.where(steps.choices, rng.random(d), np.clip(away, 0.0, 1.0))
        rows, active = space.project(z[None])
        waiting = Ball(z, rows[0], active[0], UNKNOWN, steps.first)
        return Frugal(steps, state.home, waiting, None, restarts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Frugal:
    """The search in force, `ball`; until its first trial has ended, `waiting` says where that is.

    Searches begin around `home`, the genes of the defaults, shape (d,).
    """

    steps: Steps
    home: Array
    waiting: Ball
    ball: Ball | None = None
    restarts: int = 0
