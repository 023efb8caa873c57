"""Hyperopt's TPE, with conditional parameters nested under the choice that they depend on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from hyperopt import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    STATUS_FAIL,
    STATUS_OK,
    Trials,
    base,
    hp,
    space_eval,
    tpe,
)

from .base import Parameter, Problem, Proposal, Result, UnsupportedError

DISTRIBUTIONS = ("hyperopt",)


def start(problem: Problem) -> Hyperopt:
    """Return an adapter for tpe."""
    return Hyperopt(problem)


@final
class Hyperopt:
    """What ``fmin`` does with ``tpe.suggest``, one step at a time."""

    def __init__(self, problem: Problem) -> None:
        if problem.method != "tpe":
            raise UnsupportedError(f"hyperopt has no method {problem.method}")
        self._problem = problem
        self._nodes = {p.name: _node(p) for p in problem.space}
        self._nested = {p.name: _owner(p, problem) for p in problem.space}
        self._space = self._branch(None)
        self._domain = base.Domain(lambda config: 0.0, self._space)
        self._trials = Trials()
        self._rng = np.random.default_rng(problem.seed)
        self._tids: dict[int, int] = {}

    def _branch(self, owner: tuple[str, Any] | None) -> dict[str, Any]:
        """Return the nodes that stand under one value of a choice; None: at the top."""
        out: dict[str, Any] = {}
        for p in self._problem.space:
            under = self._nested[p.name]
            if owner not in (under if under else [None]):
                continue
            inner = [self._branch((p.name, v)) for v in p.values] if p.kind == "choice" else []
            if any(inner):
                options = [{p.name: v, **more} for v, more in zip(p.values, inner, strict=True)]
                out[f"{p.name}?"] = hp.choice(p.name, options)
            else:
                out[p.name] = self._nodes[p.name]
        return out

    def ask(self, trial: int) -> Proposal:
        """Return the next suggestion."""
        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        seed = int(self._rng.integers(2**31 - 1))
        documents = tpe.suggest(ids, self._domain, self._trials, seed)
        self._trials.insert_trial_docs(documents)
        self._trials.refresh()
        self._tids[trial] = ids[0]
        values = {k: v[0] for k, v in documents[0]["misc"]["vals"].items() if v}
        return Proposal(self._config(space_eval(self._space, values)))

    def tell(self, trial: int, result: Result) -> None:
        """Complete the trial's document; a failure has the status that hyperopt has for it."""
        tid = self._tids.pop(trial)
        document = next(d for d in self._trials._dynamic_trials if d["tid"] == tid)
        failed = result.loss is None
        document["state"] = JOB_STATE_ERROR if failed else JOB_STATE_DONE
        document["result"] = (
            {"status": STATUS_FAIL} if failed else {"status": STATUS_OK, "loss": result.loss}
        )
        self._trials.refresh()

    def observe(self, config: Mapping[str, Any], loss: float) -> None:
        """Insert the document of a finished trial."""
        (tid,) = self._trials.new_trial_ids(1)
        values = {
            p.name: [p.place(config[p.name]) if p.kind == "choice" else config[p.name]]
            if p.name in config
            else []
            for p in self._problem.space
        }
        misc = {
            "tid": tid,
            "cmd": self._domain.cmd,
            "workdir": self._domain.workdir,
            "idxs": {name: [tid] if v else [] for name, v in values.items()},
            "vals": values,
        }
        result = {"status": STATUS_OK, "loss": loss}
        (document,) = self._trials.new_trial_docs([tid], [None], [result], [misc])
        document["state"] = JOB_STATE_DONE
        self._trials.insert_trial_docs([document])
        self._trials.refresh()

    def _config(self, value: Mapping[str, Any]) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for name, item in value.items():
            flat |= self._config(item) if name.endswith("?") else {name: item}
        kinds = {p.name: p for p in self._problem.space}
        return {n: _clipped(kinds[n], v) for n, v in flat.items()}


def _owner(p: Parameter, problem: Problem) -> list[tuple[str, Any]]:
    """Return the values of a choice that make a parameter active; empty: it cannot be nested."""
    if len(p.when) != 1:
        return []
    ((parent, spec),) = p.when.items()
    if next(q for q in problem.space if q.name == parent).kind != "choice":
        return []
    return [(parent, v) for v in (spec if isinstance(spec, list) else [spec])]


def _clipped(p: Parameter, value: Any) -> Any:
    if p.kind == "int":
        return int(min(max(round(value), p.low), p.high))
    return float(min(max(value, p.low), p.high)) if p.kind == "float" else value


def _node(p: Parameter) -> Any:
    if p.kind == "choice":
        return hp.choice(p.name, list(p.values))
    if p.kind == "int":
        if p.log:
            return hp.qloguniform(p.name, math.log(p.low - 0.5), math.log(p.high + 0.5), 1)
        return hp.uniformint(p.name, int(p.low), int(p.high))
    if p.log:
        return hp.loguniform(p.name, math.log(p.low), math.log(p.high))
    return hp.uniform(p.name, p.low, p.high)
