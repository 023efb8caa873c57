"""The recipe: the settings that cost least in expectation under the posterior.

    x_hat = argmin_x  mean over draws of V(x - x*) + P(diverged at x) * cost

Asymmetry and doubt together shade a setting away from its steep side by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from maquette.scaling.coordinates import Array
from maquette.scaling.edge import COST, Edge
from maquette.scaling.forms import Form, written
from maquette.scaling.target import Target
from maquette.scaling.verdict import Verdict, percent

if TYPE_CHECKING:
    from maquette.scaling.design import Proxy
    from maquette.scaling.validation import Validation


@final
@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with a 90 % interval, in the column's unit."""

    mean: float
    low: float
    high: float


@final
@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings for a target, the loss to expect there, and how far to trust both.

    Attributes
    ----------
    at
        The target's scale, in the columns' units.
    config
        Recommended settings.
    interval
        90 % interval of what a sweep at the target would call the best value of each numeric
        setting, as fine and as noisy as the sweeps at hand (`DriftModel.optimum`: of the optimum).
    loss
        Expected loss of one run of the recipe with its 90 % interval.
    drift
        Exponent of each setting's optimum in each axis: d log x* / d log s (for a linear setting
        dx* / d log s, in its unit).
    drift_interval
        90 % intervals of those exponents.
    linear
        The settings that move by an amount, not by a factor.
    regret
        Expected loss above the best settings at the target, relative (0.003 is 0.3 %).
    runs
        Runs behind the recipe.
    verdict
        How far to trust it, with reasons.
    validation
        What the smaller runs would have said of the largest scale; None where that cannot be told.
    next_run
        The run that would raise the trust most for its price; None where nobody asked for it.
    cost
        What one run of the recipe costs, in `cost_unit`; None where no costs are known.
    rule, roles
        A parametrization and what it makes of the settings for embeddings, hidden matrices, readout
        and vectors (`by_role`); empty where nobody asked for it.
    multipliers
        What the rule multiplies the target's residual branches and attention logits by, where it
        does.
    """

    at: Mapping[str, float]
    config: Mapping[str, Any]
    interval: Mapping[str, tuple[float, float]]
    loss: Estimate
    drift: Mapping[str, Mapping[str, float]]
    drift_interval: Mapping[str, Mapping[str, tuple[float, float]]]
    regret: float
    runs: int
    verdict: Verdict
    linear: frozenset[str] = frozenset()
    validation: Validation | None = None
    next_run: Proxy | None = None
    cost: Estimate | None = None
    cost_unit: str = ""
    rule: str = ""
    roles: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    multipliers: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as a JSON document; intervals are 90 %, what is unknown is null."""
        cost = None
        if self.cost is not None:
            ends = [self.cost.low, self.cost.high]
            cost = {"mean": self.cost.mean, "interval": ends, "unit": self.cost_unit}
        return {
            "at": dict(self.at),
            "config": {k: _json(v) for k, v in self.config.items()},
            "interval": {k: list(v) for k, v in self.interval.items()},
            "loss": {"mean": self.loss.mean, "interval": [self.loss.low, self.loss.high]},
            "drift": {k: dict(v) for k, v in self.drift.items()},
            "runs": self.runs,
            "verdict": {"level": self.verdict.level, "reasons": list(self.verdict.reasons)},
            "validation": self.validation.to_json() if self.validation is not None else None,
            "next_run": self.next_run.to_json() if self.next_run is not None else None,
            "cost": cost,
            **(self._roles() if self.roles else {}),
        }

    def _moving(self, name: str, axis: str) -> str:
        value, ends = self.drift[name][axis], self.drift_interval[name][axis]
        if name in self.linear:
            mean, low, high = (f"{v * math.log(10):+.3g}" for v in (value, *ends))
            return f"{mean} ({low} to {high}) with each tenfold {axis}"
        return f"{axis}^{value:+.2f} ({ends[0]:+.2f} to {ends[1]:+.2f})"

    def _roles(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "roles": {k: dict(v) for k, v in self.roles.items()},
            "multipliers": dict(self.multipliers),
        }

    def __str__(self) -> str:
        where = ", ".join(f"{k} {v:g}" for k, v in self.at.items())
        lines = [f"At {where}:" if where else "At the scale of the runs:"]
        for name, value in self.config.items():
            if isinstance(value, float) and name in self.interval:
                low, high = self.interval[name]
                lines.append(f"  {name} {_short(value)} (90 %: {_short(low)} to {_short(high)})")
            else:
                only = " (the only value tried)" if self.runs else " (as given)"
                only = only if isinstance(value, float) else ""
                lines.append(f"  {name} {_short(value)}{only}")
        loss = self.loss
        away = (
            f"should be within {percent(self.regret)} of"
            if self.regret <= 1.0
            else "may be far from"
        )
        lines.append(
            f"Expect a loss of {loss.mean:.4g} (90 %: {loss.low:.4g} to {loss.high:.4g}); the "
            f"settings {away} the best ones there."
        )
        for name, by in self.drift.items():
            moving = ", ".join(self._moving(name, axis) for axis in by)
            if moving:
                verb = "moves by" if name in self.linear else "goes as"
                lines.append(f"The best {name} {verb} {moving}.")
        plural = "run" if self.runs == 1 else "runs"
        lines.append(f"Verdict from {self.runs} {plural}: {self.verdict.level}.")
        lines += [f"  - {reason}" for reason in self.verdict.reasons]
        if self.validation is not None:
            lines.append(str(self.validation))
        if self.next_run is not None:
            lines.append(f"The run that would raise the trust most for its price: {self.next_run}.")
        if self.cost is not None:
            c = self.cost
            unit = "" if self.cost_unit in ("", "cost") else f" {self.cost_unit}"
            lines.append(
                f"One run of it costs {c.mean:.3g}{unit} (90 %: {c.low:.3g} to {c.high:.3g})."
            )
        if self.roles:
            lines.append(f"By role, {self.rule}:")
        for role, values in self.roles.items():
            lines.append(f"  {role} " + ", ".join(f"{k} {_short(v)}" for k, v in values.items()))
        if self.multipliers:
            told = ", ".join(f"{k} {_short(v)}" for k, v in self.multipliers.items())
            lines.append(f"  branches beside the base's: {told}")
        return "\n".join(lines)

    def written(self, form: Form) -> str:
        """Return the settings as people paste them, with what to know of them in a comment.

        Parameters
        ----------
        form
            ``"toml"``, ``"json"``, ``"args"``, ``"python"``, ``"hf"`` (TrainingArguments),
            ``"torch"`` (an optimizer), ``"megatron"`` or ``"torchtitan"``.
        """
        where = ", ".join(f"{k} {v:g}" for k, v in self.at.items())
        about = [
            f"Maquette, for {where}: {self.verdict.level}; expected loss {self.loss.mean:.4g} "
            f"(90 %: {self.loss.low:.4g} to {self.loss.high:.4g})"
        ]
        about += [
            f"{name}: 90 % {_short(low)} to {_short(high)}"
            for name, (low, high) in self.interval.items()
        ]
        if self.roles:
            about.append(f"by role, {self.rule}; settings without a role are the base's")
        about += [f"{k} branches are multiplied by {v:.4g}" for k, v in self.multipliers.items()]
        return written(self.config, "\n".join(about), form, self.roles)

    def to_toml(self) -> str:
        """Return a TOML table of the settings."""
        return self.written("toml")

    def to_args(self) -> str:
        """Return the settings as command-line flags."""
        return self.written("args")

    def to_python(self) -> str:
        """Return the settings as a Python dictionary."""
        return self.written("python")

    def to_hf(self) -> str:
        """Return a call of transformers' ``TrainingArguments``."""
        return self.written("hf")

    def to_torch(self) -> str:
        """Return the making of a torch optimizer."""
        return self.written("torch")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _json(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def least_regret(
    target: Target, limits: tuple[Array, Array], edge: Edge | None, s: Array, known: Array
) -> tuple[Array, float]:
    """Coordinates of least expected cost inside limits (p,), and the expected excess there.

    Never worse in expectation than any of the known points (m, p).
    """
    low, high = limits
    x = np.clip(np.median(target.centre, 0), low, high)
    if not x.size:
        return x, 0.0

    def cost(point: Array) -> float:
        value = float(np.mean(target.excess(point)))
        if edge is not None:
            value += COST * float(np.mean(edge.probability(point - target.centre, s)))
        return value

    x, best = _descend(target, limits, edge, s, (x, cost))
    costs = [cost(point) for point in known]
    if costs and min(costs) < best:
        x, best = _descend(target, limits, edge, s, (known[int(np.argmin(costs))], cost))
    return x, float(np.mean(target.excess(x)))


def _descend(
    target: Target,
    limits: tuple[Array, Array],
    edge: Edge | None,
    s: Array,
    start: tuple[Array, Callable[[Array], float]],
) -> tuple[Array, float]:
    """Projected Gauss-Newton steps with backtracking: a point (p,) and its cost."""
    (low, high), (x, cost) = limits, start
    best = cost(x)
    for _ in range(40):
        gradient, hessian = target.slopes(x)
        if edge is not None:
            b = edge.coefficients[1 : 1 + x.size]
            q = edge.probability(x - target.centre, s)
            gradient = gradient + COST * b * float(np.mean(q * (1 - q)))
            curvature = COST * float(np.mean(q * (1 - q) * np.maximum(1 - 2 * q, 0.0)))
            hessian = hessian + curvature * np.outer(b, b)
        held = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
        gradient = np.where(held, 0.0, gradient)
        hessian = np.where(held[:, None] | held[None], np.diag(np.diag(hessian)), hessian)
        move = -np.linalg.solve(hessian + 1e-12 * np.eye(x.size), gradient)
        step = 1.0
        while step > 1e-4:
            point = np.clip(x + step * move, low, high)
            value = cost(point)
            if value < best:
                break
            step /= 2
        if step <= 1e-4:
            break
        done = best - value < 1e-12 + 1e-9 * math.fabs(best)
        x, best = point, value
        if done:
            break
    return x, best
