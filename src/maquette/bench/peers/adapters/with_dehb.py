"""DEHB through its ask and tell; it chooses the duration of each trial itself."""

from __future__ import annotations

import tempfile
from typing import Any, final

from dehb import DEHB

from .base import Problem, Proposal, Result, UnsupportedError
from .spaces import config_space, read

DISTRIBUTIONS = ("DEHB", "ConfigSpace")


def start(problem: Problem) -> Evolving:
    """Return an adapter for dehb."""
    return Evolving(problem)


@final
class Evolving:
    """Differential evolution under Hyperband; conditional spaces are flattened."""

    def __init__(self, problem: Problem) -> None:
        if problem.method != "dehb":
            raise UnsupportedError(f"dehb has no method {problem.method}")
        if problem.duration is None:
            raise UnsupportedError("DEHB needs a learning curve, which this task has not")
        self._problem = problem
        least, full = problem.duration
        self._dehb = DEHB(
            cs=config_space(problem, conditions=False),
            dimensions=len(problem.space),
            min_fidelity=least,
            max_fidelity=full,
            n_workers=1,
            seed=problem.seed,
            output_path=tempfile.mkdtemp(),
            save_freq="end",
            log_level="ERROR",
        )
        self._jobs: dict[int, Any] = {}
        self._worst = 0.0

    def ask(self, trial: int) -> Proposal:
        """Return the next job, with its duration."""
        job = self._jobs[trial] = self._dehb.ask()
        return Proposal(read(job["config"], self._problem), float(job["fidelity"]))

    def tell(self, trial: int, result: Result) -> None:
        """Tell the loss; a failure counts as the worst loss so far, since there is no other way."""
        loss = self._worst if result.loss is None else result.loss
        self._worst = max(self._worst, loss)
        self._dehb.tell(self._jobs.pop(trial), {"fitness": loss, "cost": result.cost})
