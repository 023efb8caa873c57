"""One call from function to answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maquette.executor.protocol import Function
from maquette.space import Space
from maquette.study.best import Best
from maquette.study.budget import Budget
from maquette.study.study import Study

Spend = Budget | int | Mapping[str, Any]


def minimize(
    fn: Function,
    space: Space | Mapping[str, Any],
    budget: Spend = 50,
    *,
    metric: str = "loss",
    workers: int = 1,
    seed: int = 0,
    **options: Any,
) -> Best:
    """Return the config for which `fn` is least.

    Parameters
    ----------
    fn
        ``fn(trial) -> float | mapping``.
    space
        What may vary.
    budget
        A number of trials, or a Budget.
    metric
        Name of the value that `fn` returns.
    workers
        Trials that run at once.
    seed
        Decides every proposal.
    options
        Further arguments of `Study`, for example ``searcher="gp"``.

    Raises
    ------
    MaquetteError
        As `Study` and `Study.run`.
    """
    return _run(fn, space, budget, f"min:{metric}", workers, {"seed": seed, **options})


def maximize(
    fn: Function,
    space: Space | Mapping[str, Any],
    budget: Spend = 50,
    *,
    metric: str = "value",
    workers: int = 1,
    seed: int = 0,
    **options: Any,
) -> Best:
    """Return the config for which `fn` is greatest; parameters and errors as `minimize`."""
    return _run(fn, space, budget, f"max:{metric}", workers, {"seed": seed, **options})


def _run(
    fn: Function,
    space: Space | Mapping[str, Any],
    budget: Spend,
    objective: str,
    workers: int,
    options: Mapping[str, Any],
) -> Best:
    given: dict[str, Any] = dict(options)
    name = given.pop("name", getattr(fn, "__name__", "study").strip("<>") or "study")
    return Study(name, space, fn, objective=objective, **given).run(budget, workers)
