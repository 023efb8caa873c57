"""HEBO with its defaults."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO

from .base import Parameter, Problem, Proposal, Result, UnsupportedError

DISTRIBUTIONS = ("HEBO",)


def start(problem: Problem) -> Hebo:
    """Return an adapter for hebo."""
    return Hebo(problem)


@final
class Hebo:
    """Suggestions one at a time; conditional spaces are flattened, choices go by their place."""

    def __init__(self, problem: Problem) -> None:
        if problem.method != "hebo":
            raise UnsupportedError(f"hebo has no method {problem.method}")
        np.random.seed(problem.seed)
        random.seed(problem.seed)
        torch.manual_seed(problem.seed)
        self._problem = problem
        space = DesignSpace().parse([_parameter(p) for p in problem.space])
        self._hebo = HEBO(space, scramble_seed=problem.seed)
        self._asked: dict[int, pd.DataFrame] = {}

    def ask(self, trial: int) -> Proposal:
        """Return the next suggestion."""
        row = self._asked[trial] = self._hebo.suggest(n_suggestions=1)
        found = row.iloc[0].to_dict()
        return Proposal(
            {
                p.name: p.values[int(found[p.name])] if p.kind == "choice" else found[p.name]
                for p in self._problem.space
            }
        )

    def tell(self, trial: int, result: Result) -> None:
        """Observe the loss; failures are left out, as there is no other way."""
        row = self._asked.pop(trial)
        if result.loss is not None:
            self._hebo.observe(row, np.array([[result.loss]]))

    def observe(self, config: Mapping[str, Any], loss: float) -> None:
        """Observe a config that was not suggested."""
        full = self._problem.complete(config)
        places = {
            p.name: p.place(full[p.name]) if p.kind == "choice" else full[p.name]
            for p in self._problem.space
        }
        self._hebo.observe(pd.DataFrame([places]), np.array([[loss]]))


def _parameter(p: Parameter) -> dict[str, Any]:
    if p.kind == "choice":
        return {"name": p.name, "type": "cat", "categories": list(range(len(p.values)))}
    kinds = {("float", False): "num", ("float", True): "pow", ("int", False): "int"}
    kind = kinds.get((p.kind, p.log), "pow_int")
    return {"name": p.name, "type": kind, "lb": p.low, "ub": p.high}
