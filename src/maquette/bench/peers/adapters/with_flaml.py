"""FLAML's BlendSearch and CFO, which start from the low-cost defaults of the space."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from flaml import CFO, BlendSearch, tune

from .base import Parameter, Problem, Proposal, Result, UnsupportedError

DISTRIBUTIONS = ("flaml",)

_SEARCHERS = {"blendsearch": BlendSearch, "cfo": CFO}

_TRIES = 100


def start(problem: Problem) -> Flaml:
    """Return an adapter for blendsearch or cfo."""
    return Flaml(problem)


@final
class Flaml:
    """A searcher of FLAML; conditional spaces are flattened."""

    def __init__(self, problem: Problem) -> None:
        if problem.method not in _SEARCHERS:
            raise UnsupportedError(f"flaml has no method {problem.method}")
        self._problem = problem
        np.random.seed(problem.seed)
        self._searcher = _SEARCHERS[problem.method](
            metric="loss",
            mode="min",
            space={p.name: _domain(p) for p in problem.space},
            points_to_evaluate=[problem.complete({})],
            seed=problem.seed,
        )
        self._asked: dict[int, tuple[str, dict[str, Any]]] = {}

    def ask(self, trial: int) -> Proposal | None:
        """Return the next suggestion.

        None from FLAML means that it came upon a config again; its own loop then asks anew, and
        gives up after 100 times in a row.
        """
        for attempt in range(_TRIES):
            name = f"{trial}.{attempt}"
            config = self._searcher.suggest(name)
            if config is not None:
                self._asked[trial] = (name, config)
                return Proposal(config)
        return None

    def tell(self, trial: int, result: Result) -> None:
        """Complete the trial, or say that it failed."""
        name, config = self._asked.pop(trial)
        if result.loss is None:
            self._searcher.on_trial_complete(name, error=True)
            return
        told = {"config": config, "loss": result.loss, "time_total_s": result.seconds}
        self._searcher.on_trial_complete(name, told)


def _domain(p: Parameter) -> Any:
    if p.kind == "choice":
        return tune.choice(list(p.values))
    if p.kind == "int":
        low, high = int(p.low), int(p.high) + 1
        return tune.lograndint(low, high) if p.log else tune.randint(low, high)
    return tune.loguniform(p.low, p.high) if p.log else tune.uniform(p.low, p.high)
