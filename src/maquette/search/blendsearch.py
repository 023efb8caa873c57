"""BlendSearch: one global search says where to look, frugal local ones look there.

The global search is by Parzen densities. Wherever it finds a result better than the median of the
local searches, a local search (FLOW2) begins. For each search, with costs c and the best and second
best losses l_1 and l_2 that it has reached, at costs c_1 and c_2 [1, section 3.2]

    speed s = (l_2 - l_1) / (k (c - c_2)),    k trials of it running,
    ECI = max(c - c_1, c_1 - c_2, 2 (l_1 - l*) / s),

is the estimated cost to improve on the best loss l* of all, and the one of highest
min ECI s - l_1 is next. Local searches that converge, or come within a step of a better one, end.

The global search may propose only what lies in a box: the steps that local searches have taken, a
step wider each time one converges; so that from a cheap default, costly regions are entered last.

Where trials cost nothing, as in a table without times, each counts as one. A trial belongs to the
local search whose incumbent lies within a step of it, otherwise to the global one.

References
----------
.. [1] C. Wang, Q. Wu, S. Huang and A. Saied. Economical Hyperparameter Optimization with Blended
       Search Strategy. ICLR 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import StudyError
from maquette.fidelity import Fidelity
from maquette.history import History, Problem
from maquette.search.cell import one_metric
from maquette.search.climb import Ground, Pool
from maquette.search.flow2 import Ball, Steps, steps_of
from maquette.search.genes import fallback, known, placed, untried
from maquette.search.machine import Told, folded
from maquette.search.tpe import TPE
from maquette.trial import Suggestion

Array = NDArray[np.float64]

EPS = 1e-10


@final
@dataclass(frozen=True, slots=True)
class BlendSearch:
    """Blends a global search with frugal local ones.

    Parameters
    ----------
    patience
        Trials of a local search without an improvement before its step is halved, at least 1;
        None: 2 d.

    Raises
    ------
    StudyError
        If a parameter is out of range.
    """

    patience: int | None = None
    _tpe: TPE = field(default_factory=TPE, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise StudyError(f"patience must be at least 1, not {self.patience!r}")

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Return `n` configs of the searches that promise most; the first trial is the defaults."""
        one_metric(history, "blendsearch")
        out: list[Suggestion] = []
        if not history.trials and n > 0:
            out.append(Suggestion(history.space.defaults(), "default"))
        state = folded(self, history)
        ground, tried = Ground(history.space, history.domain), known(history)
        running = [0] * (len(state.balls) + 1)
        for trial in history.pending:
            running[state.owner(trial.row) + 1] += 1
        wide: list[Pool] = []
        while len(out) < n:
            k = state.turn(running)
            one = None
            if k < 0:
                wide = wide or self._anywhere(history, at, n - len(out), ground, rng)
                one = untried(wide.pop(), tried)
                if one is not None and not state.admits(one.X[0]) and state.balls:
                    one, k = None, state.turn(running, local=True)
            if one is None and k >= 0:
                rows = state.steps.proposals(state.balls[k], rng)
                one = untried(ground.pool(rows), tried)
            one = one or fallback(ground, tried, rng)
            tried = tried.joined(one)
            running[k + 1] += 1
            origin = "blendsearch:global" if k < 0 else "blendsearch:local"
            why = {"searches": float(len(state.balls)), "speed": state.accounts[k + 1].speed(1)}
            out.append(Suggestion(ground.config(one.X[0]), origin, why))
        return out

    def _anywhere(
        self, history: History, at: Fidelity, n: int, ground: Ground, rng: np.random.Generator
    ) -> list[Pool]:
        """Return `n` proposals of the global search, the first one last."""
        configs = [s.config for s in self._tpe.suggest(history, at, n, rng)]
        found = placed(ground.domain, configs)
        return [found.only(i) for i in range(n - 1, -1, -1)]

    def init(self, problem: Problem) -> Blend:
        """Return the state before the first trial."""
        space = problem.evidence
        home = placed(space, [problem.space.defaults()]).X[0]
        steps = steps_of(space, problem.seed, self.patience)
        reach = steps.first / math.sqrt(max(len(home), 1))
        return Blend(steps, (), (Account(),), home - reach, home + reach)

    def step(self, state: Blend, told: Told) -> Blend:
        """Return the state after one more trial has ended."""
        cost = told.cost if math.isfinite(told.cost) and told.cost > 0 else 1.0
        loss = told.standing[1] if told.standing[0] == 0 else math.inf
        k, steps = state.owner(told.x), state.steps
        accounts, balls = list(state.accounts), list(state.balls)
        accounts[k + 1] = accounts[k + 1].after(cost, loss)
        low, high = state.low, state.high
        if k >= 0:
            balls[k] = steps.after(balls[k], told)
        elif math.isfinite(loss):
            bests = sorted(account.best for account in accounts[1:])
            if not bests or loss < bests[len(bests) // 2]:
                balls.append(steps.begun(told))
                accounts.append(accounts[0])
        for ball in balls:
            low, high = np.minimum(low, ball.row), np.maximum(high, ball.row)
        kept = _kept(steps, balls)
        if any(steps.converged(ball) for ball in balls):
            low, high = low - steps.first, high + steps.first
        return Blend(
            steps,
            tuple(balls[i] for i in kept),
            (accounts[0], *(accounts[i + 1] for i in kept)),
            low,
            high,
        )


def _kept(steps: Steps, balls: Sequence[Ball]) -> list[int]:
    """Return which local searches go on: not those that converged, or are where a better one is."""
    kept: list[int] = []
    for i in sorted(range(len(balls)), key=lambda i: balls[i].standing):
        mine = balls[i].row[None]
        inside = any(steps.near(balls[j], mine)[0] <= 1.0 for j in kept)
        if not inside and not steps.converged(balls[i]):
            kept.append(i)
    return sorted(kept)


@final
@dataclass(frozen=True, slots=True)
class Account:
    """What a search has spent, c, its two best losses, and what it had spent by then, c_1, c_2."""

    spent: float = 0.0
    best: float = math.inf
    second: float = math.inf
    at_best: float = 0.0
    at_second: float = 0.0

    def after(self, cost: float, loss: float) -> Account:
        """Return the account after a trial."""
        spent = self.spent + cost
        if not loss < self.best:
            return replace(self, spent=spent)
        if not math.isfinite(self.best):
            return replace(self, spent=spent, best=loss, second=loss, at_best=spent)
        return Account(spent, loss, self.best, spent, self.at_best)

    def speed(self, running: int) -> float:
        """Return the loss that is gained by a unit of cost."""
        if not self.second > self.best:
            return 0.0
        return (self.second - self.best) / max(running, 1) / max(self.spent - self.at_second, EPS)

    def to_improve(self, best: float, speed: float) -> float:
        """Return the estimated cost to improve on the best loss of all."""
        need = max(self.spent - self.at_best, self.at_best - self.at_second)
        if self.best > best and speed > 0:
            need = max(need, 2.0 * (self.best - best) / speed)
        return need


@final
@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """The local searches, the accounts (of the global search first), and the admissible box."""

    steps: Steps
    balls: tuple[Ball, ...]
    accounts: tuple[Account, ...]
    low: Array
    high: Array

    def owner(self, row: Array) -> int:
        """Return which local search a config (d,) belongs to; -1: the global one."""
        if not self.balls:
            return -1
        gaps = [float(self.steps.near(ball, row[None])[0]) for ball in self.balls]
        k = int(np.argmin(gaps))
        return k if gaps[k] <= 1.0 else -1

    def admits(self, row: Array) -> bool:
        """Whether the global search may propose a config (d,)."""
        outside = ((row < self.low) | (row > self.high)) & ~self.steps.choices
        return not bool(outside.any())

    def turn(self, running: Sequence[int], *, local: bool = False) -> int:
        """Return which search is next; -1: the global one."""
        if not self.balls:
            return -1
        speeds = [a.speed(k) for a, k in zip(self.accounts, running, strict=True)]
        fastest = max(speeds)
        speeds = [s or fastest for s in speeds]
        best = min(a.best for a in self.accounts)
        pairs = list(zip(self.accounts, speeds, strict=True))
        least = min(a.to_improve(best, s) for a, s in pairs)
        priority = [least * s - a.best for a, s in pairs]
        if local:
            priority[0] = -math.inf
        return int(np.argmax(priority)) - 1
