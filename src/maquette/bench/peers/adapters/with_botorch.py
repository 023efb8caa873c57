"""BoTorch by hand, as its tutorials have it: a Gaussian process and log noisy EI.

The space is the unit cube: ranges in their (log) scale, choices as one-hot columns that are
rounded; conditional spaces are flattened.

References
----------
.. [1] S. Ament, S. Daulton, D. Eriksson, M. Balandat and E. Bakshy. Unexpected Improvements to
       Expected Improvement for Bayesian Optimization. NeurIPS 2023.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood

from .base import Parameter, Problem, Proposal, Result, UnsupportedError

DISTRIBUTIONS = ("botorch", "gpytorch", "torch")


def start(problem: Problem) -> Botorch:
    """Return an adapter for logei."""
    return Botorch(problem)


@final
class Botorch:
    """2 d Sobol points (at most 20), then log noisy expected improvement [1]."""

    def __init__(self, problem: Problem) -> None:
        if problem.method != "logei":
            raise UnsupportedError(f"botorch has no method {problem.method}")
        torch.manual_seed(problem.seed)
        self._space = problem.space
        self._d = sum(_width(p) for p in problem.space)
        engine: Any = torch.quasirandom.SobolEngine
        self._sobol = engine(self._d, scramble=True, seed=problem.seed)
        self._start = min(20, 2 * len(problem.space))
        self._pending: dict[int, torch.Tensor] = {}
        self._X: list[torch.Tensor] = []
        self._loss: list[float] = []

    def ask(self, trial: int) -> Proposal:
        """Return a Sobol point at first, then the acquisition's maximiser."""
        early = len(self._X) + len(self._pending) < self._start or len(self._X) < 2
        row = self._sobol.draw(1, dtype=torch.double)[0] if early else self._maximise()
        config = self._read(row)
        self._pending[trial] = self._row(config)
        return Proposal(config)

    def tell(self, trial: int, result: Result) -> None:
        """Keep the observation; failures are left out, as there is no other way."""
        row = self._pending.pop(trial)
        if result.loss is not None:
            self._X.append(row)
            self._loss.append(result.loss)

    def observe(self, config: Mapping[str, Any], loss: float) -> None:
        """Keep an observation."""
        self._X.append(self._row({p.name: config.get(p.name, p.default) for p in self._space}))
        self._loss.append(loss)

    def _maximise(self) -> torch.Tensor:
        X = torch.stack(self._X)
        Y = -torch.tensor(self._loss, dtype=torch.double)[:, None]
        model = SingleTaskGP(X, (Y - Y.mean()) / Y.std().clamp_min(1e-12))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        pending = torch.stack(list(self._pending.values())) if self._pending else None
        value = qLogNoisyExpectedImprovement(model, X, X_pending=pending, prune_baseline=True)
        bounds = torch.stack([torch.zeros(self._d), torch.ones(self._d)]).double()
        row, _ = optimize_acqf(value, bounds, q=1, num_restarts=10, raw_samples=512)
        found: torch.Tensor = row[0]
        return found

    def _read(self, row: torch.Tensor) -> dict[str, Any]:
        config: dict[str, Any] = {}
        at = 0
        for p in self._space:
            part = row[at : at + _width(p)].tolist()
            at += _width(p)
            if p.kind == "choice":
                config[p.name] = p.values[part.index(max(part))]
            else:
                value = _from_unit(part[0], p)
                config[p.name] = round(value) if p.kind == "int" else value
        return config

    def _row(self, config: Mapping[str, Any]) -> torch.Tensor:
        out: list[float] = []
        for p in self._space:
            if p.kind == "choice":
                out += [float(v == config[p.name]) for v in p.values]
            else:
                out.append(_to_unit(config[p.name], p))
        return torch.tensor(out, dtype=torch.double)


def _width(p: Parameter) -> int:
    return len(p.values) if p.kind == "choice" else 1


def _ends(p: Parameter) -> tuple[float, float]:
    return (math.log(p.low), math.log(p.high)) if p.log else (p.low, p.high)


def _from_unit(u: float, p: Parameter) -> float:
    low, high = _ends(p)
    value = low + u * (high - low)
    return min(max(math.exp(value) if p.log else value, p.low), p.high)


def _to_unit(value: float, p: Parameter) -> float:
    low, high = _ends(p)
    return ((math.log(value) if p.log else value) - low) / (high - low) if high > low else 0.5
