"""Budgets: totals in what people own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from maquette.errors import StudyError, nearest
from maquette.events import BudgetChanged
from maquette.history import History
from maquette.number import is_positive


@final
@dataclass(frozen=True, slots=True)
class Budget:
    """How much a study may spend in all, over every run and driver; None: no bound.

    Parameters
    ----------
    trials
        Trials proposed, whatever became of them.
    seconds
        Wall clock during which at least one job was running.
    cost
        Cost of all jobs, in the study's unit.

    Raises
    ------
    StudyError
        If a bound is not a positive number.
    """

    trials: int | None = None
    seconds: float | None = None
    cost: float | None = None

    def __post_init__(self) -> None:
        problems = []
        for name in ("trials", "seconds", "cost"):
            value = getattr(self, name)
            if value is not None and not is_positive(value):
                problems.append(f"budget {name} must be a positive number, not {value!r}")
        if not problems and self.trials is not None and int(self.trials) != self.trials:
            problems.append(f"budget trials must be a whole number, not {self.trials!r}")
        if problems:
            raise StudyError(problems)
        if self.trials is not None:
            object.__setattr__(self, "trials", int(self.trials))  # 100.0 and 1e2 are counts too

    @classmethod
    def parse(cls, spec: Budget | int | Mapping[str, Any] | None) -> Budget:
        """Read a Budget, a number of trials, or a mapping such as ``{"trials": 100}``."""
        if isinstance(spec, Budget):
            return spec
        if spec is None:
            return cls()
        if isinstance(spec, Mapping):
            valid = ("trials", "seconds", "cost")
            unknown = [k for k in spec if k not in valid]
            if unknown:
                raise StudyError(
                    [f"unknown budget {k!r}." + nearest(str(k), valid) for k in unknown]
                )
            return cls(**spec)
        return cls(trials=spec)

    def room(self, history: History) -> float:
        """Return how many more trials may be proposed (inf without a bound)."""
        return math.inf if self.trials is None else max(0, int(self.trials) - len(history.trials))

    def spent(self, history: History, now: float) -> str:
        """Say which bound on seconds or cost is reached; empty while none is."""
        if self.seconds is not None and history.elapsed(now) >= self.seconds:
            return f"{self.seconds:g} seconds are spent"
        if self.cost is not None and history.cost >= self.cost:
            return f"cost {self.cost:g} is spent"
        return ""


def recorded(budget: Budget, workers: int) -> BudgetChanged:
    """Return the event that tells every driver and viewer what may be spent."""
    return BudgetChanged(budget.trials, budget.seconds, budget.cost, workers)
