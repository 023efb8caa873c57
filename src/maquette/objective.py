"""What is optimised: metrics to minimise or maximise, constraints on them, and what a run costs.

Inside Maquette every objective is a *loss*: lower is better. `Objective.losses` flips the sign of
maximised metrics; only what a person reads shows the metric's own sign.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from maquette.errors import ObjectiveError, nearest
from maquette.number import as_number

_CONSTRAINT = re.compile(r"^\s*(<=|>=|<|>)\s*([-+0-9.eE]+)\s*$")


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@final
@dataclass(frozen=True)
class Objective:
    """Metrics to minimise and maximise, bounds on others, and the metric that is the cost.

    Parameters
    ----------
    minimize, maximize
        One metric name or several. The first metric named is the primary one: a bare number
        returned by a run is its value.
    constraints
        Metric name to a bound such as ``"<= 8e9"``; a run that breaks one is infeasible.
    cost
        Metric that holds a run's cost, in the user's unit. None: seconds.

    Raises
    ------
    ObjectiveError
        If no metric is named, one is named twice, or a bound cannot be read.
    """

    minimize: tuple[str, ...] = ()
    maximize: tuple[str, ...] = ()
    constraints: Mapping[str, str] = field(default_factory=dict)
    cost: str | None = None

    def __init__(
        self,
        minimize: str | Sequence[str] = (),
        maximize: str | Sequence[str] = (),
        constraints: Mapping[str, str] | None = None,
        cost: str | None = None,
    ) -> None:
        object.__setattr__(self, "minimize", _names(minimize))
        object.__setattr__(self, "maximize", _names(maximize))
        object.__setattr__(self, "constraints", dict(constraints or {}))
        object.__setattr__(self, "cost", cost)
        self._validate()

    def _validate(self) -> None:
        problems = []
        names = self.metrics
        if not names:
            problems.append("no metric to optimise: give minimize=[...] or maximize=[...]")
        problems += [
            f"metric {n!r} is named twice" for n in dict.fromkeys(names) if names.count(n) > 1
        ]
        problems += [
            f"{n!r} is not a metric name" for n in names if not n or not isinstance(n, str)
        ]
        for name, bound in self.constraints.items():
            if not isinstance(bound, str) or not _CONSTRAINT.match(bound):
                problems.append(
                    f'constraint on {name!r}: cannot read {bound!r}; write "<= 8e9" or ">= 0.5"'
                )
        if problems:
            raise ObjectiveError(problems)

    @classmethod
    def parse(cls, spec: str | Objective) -> Objective:
        """Read ``"loss"``, ``"min:loss"`` or ``"max:accuracy"``; an Objective is returned as is."""
        if isinstance(spec, Objective):
            return spec
        if not isinstance(spec, str) or not spec.strip():
            raise ObjectiveError(
                f"an objective is a metric name or a mq.Objective, not {spec!r}",
                hint='for example objective="loss" or objective="max:accuracy"',
            )
        direction, _, name = spec.rpartition(":")
        if direction in ("", "min", "minimize", "minimise"):
            return cls(minimize=name.strip())
        if direction in ("max", "maximize", "maximise"):
            return cls(maximize=name.strip())
        raise ObjectiveError(
            f"objective {spec!r}: unknown direction {direction!r}."
            + nearest(direction, ("min", "max"))
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """The optimised metrics; the first is the primary one."""
        return self.minimize + self.maximize

    @property
    def primary(self) -> str:
        """The metric that a bare number stands for."""
        return self.metrics[0]

    @property
    def signs(self) -> np.ndarray:
        """+1 for a minimised metric, -1 for a maximised one; shape (number of metrics,)."""
        return np.array([1.0] * len(self.minimize) + [-1.0] * len(self.maximize))

    def losses(self, metrics: Mapping[str, float]) -> list[float]:
        """Return the optimised metrics as losses; NaN where one is missing."""
        low = [float(metrics.get(name, math.nan)) for name in self.minimize]
        return low + [-float(metrics.get(name, math.nan)) for name in self.maximize]

    def loss(self, metrics: Mapping[str, float]) -> float:
        """Return the primary metric as a loss; NaN if it is missing."""
        value = float(metrics.get(self.primary, math.nan))
        return value if self.minimize else -value

    def value(self, loss: float) -> float:
        """Turn a primary loss back into the metric's own sign."""
        return loss if self.minimize else -loss

    def excess(self, metrics: Mapping[str, float]) -> list[float]:
        """Return by how much each bound is exceeded.

        Zero or less where it holds, NaN where the metric is missing.
        """
        found: list[float] = []
        for name, bound in self.constraints.items():
            match = _CONSTRAINT.match(bound)
            value = float(metrics.get(name, math.nan))
            beyond = math.nan if match is None else value - float(match[2])
            found.append(beyond if match is None or match[1].startswith("<") else -beyond)
        return found

    def violation(self, metrics: Mapping[str, float]) -> float:
        """Return by how much the bounds are broken, summed; 0 if all hold, NaN if unknown."""
        if not self.constraints:
            return 0.0
        return float(np.maximum(self.excess(metrics), 0.0).sum())

    def read(self, result: Any) -> dict[str, float]:
        """Turn what a run returned into metrics.

        Parameters
        ----------
        result
            A number (the primary metric) or a mapping of metric names to numbers.

        Raises
        ------
        ObjectiveError
            If it is neither, or the primary metric is missing; every problem is named.
        """
        if isinstance(result, Mapping):
            return self._read_mapping(result)
        number = as_number(result)
        if number is not None:
            return {self.primary: number}
        raise ObjectiveError(
            f"the objective returned {_show(result)}, which is not a number",
            hint=f'return a float, or a mapping such as {{"{self.primary}": 0.31}}',
        )

    def _read_mapping(self, result: Mapping[Any, Any]) -> dict[str, float]:
        metrics, problems = {}, []
        for name, value in result.items():
            number = as_number(value)
            if number is not None:
                metrics[str(name)] = number
            elif name in self.metrics or name in self.constraints or name == self.cost:
                problems.append(f"metric {name!r} is {_show(value)}, which is not a number")
        problems += [
            f"the result has no metric {name!r}." + nearest(name, map(str, result))
            for name in self.metrics
            if name not in result
        ]
        if problems:
            raise ObjectiveError(problems)
        return metrics

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; `from_json` reads it back."""
        return {
            "minimize": list(self.minimize),
            "maximize": list(self.maximize),
            "constraints": dict(self.constraints),
            "cost": self.cost,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Objective:
        """Read what `to_json` wrote."""
        return cls(**data)


def _show(value: Any) -> str:
    text = repr(value)
    return f"{text[:80]}{'...' if len(text) > 80 else ''} (a {type(value).__name__})"
