"""A table of configs as a task: a config is measured as the nearest one that was run."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from maquette.bench.nearest import Nearest
from maquette.bench.task import Array, Card, Measured, Rows, Task, all_done
from maquette.errors import BenchmarkError
from maquette.objective import Objective
from maquette.space import Choice, Space
from maquette.space.columns import gather
from maquette.space.parameter import Parameter
from maquette.trial import State


@final
@dataclass(frozen=True, slots=True)
class Pool:
    """Runs as a table.

    Parameters
    ----------
    configs
        One a run; those that are equal are rows of one config.
    steps
        Of the reports, rising, shape (m,).
    metrics
        Name to values, shape (runs, m); NaN from where a run failed.
    seconds
        Since a run began, shape (runs, m).
    """

    configs: Sequence[Mapping[str, Any]]
    steps: Array
    metrics: Mapping[str, Array]
    seconds: Array


def task(name: str, pool: Pool, space: Space, objective: Objective, about: str, card: Card) -> Task:
    """Make a task of a pool.

    Raises
    ------
    BenchmarkError
        If the pool is empty, or no run ends with the primary metric.
    """
    if not pool.configs:
        raise BenchmarkError(f"{name}: the file holds no runs")
    values = gather(pool.configs, dict(space.items()))
    points, which = np.unique(np.nan_to_num(values, nan=-1e300), axis=0, return_inverse=True)
    groups = [np.flatnonzero(which.ravel() == k) for k in range(len(points))]
    near = _nearest(space, np.where(points == -1e300, np.nan, points))
    final = objective.signs[0] * pool.metrics[objective.primary][:, -1]
    truth = np.array([final[g].mean() for g in groups])
    if not np.isfinite(truth).any():
        raise BenchmarkError(f"{name}: no run ends with a value of {objective.primary}")
    length = int(pool.steps.size)
    return Task(
        name=name,
        about=about,
        space=space,
        objective=objective,
        card=card,
        backend=_backend(pool, groups, near, objective.primary),
        optimum=float(np.nanmin(truth)),
        median=float(np.nanmedian(truth)),
        exact=True,
        rows=max(map(len, groups)),
        duration={"epochs": (float(pool.steps[0]), float(pool.steps[-1]))} if length > 1 else {},
        failures=(State.DIVERGED,) if np.isnan(final).any() else (),
    )


def _nearest(space: Space, points: Array) -> Any:
    """Look for the nearest config; another choice is farther than any number."""
    log = space.is_log
    widths = np.array([_width(p) for p in space.values()])
    wanted = Nearest(np.nan_to_num(points, nan=1.0), log, widths)
    return lambda values: wanted(np.nan_to_num(values, nan=1.0))


def _width(parameter: Parameter) -> float:
    if isinstance(parameter, Choice):
        return 0.1
    low, high = float(parameter.low), float(parameter.high)
    return (math.log(high / low) if parameter.log else high - low) or 1.0


def _backend(pool: Pool, groups: Sequence[NDArray[np.intp]], near: Any, primary: str) -> Any:
    counts = np.array([len(g) for g in groups])
    members = np.concatenate(list(groups))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])

    def mean(table: Array) -> Array:
        return np.asarray(np.add.reduceat(table[members], first, axis=0) / counts[:, None])

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del scale
        at = near(values)
        if rows is None:
            metrics = {name: mean(v)[at] for name, v in pool.metrics.items()}
            seconds = mean(pool.seconds)[at]
        else:
            run = members[first[at] + rows % counts[at]]
            metrics = {name: v[run] for name, v in pool.metrics.items()}
            seconds = pool.seconds[run]
        states = all_done(len(at))
        failed = ~np.isfinite(metrics[primary])
        states[failed[:, -1]] = State.DIVERGED
        last = np.where(failed.any(axis=1), failed.argmax(axis=1), len(pool.steps) - 1)
        ended = seconds[np.arange(len(at)), last]
        return Measured(pool.steps, metrics, seconds, None, states, ended)

    return measure


def read_json(path: Path | str) -> Any:
    """Read JSON, packed with gzip where the name ends so.

    Raises
    ------
    BenchmarkError
        If the file is missing, truncated or not JSON.
    """
    return _read(Path(path), json.loads)


def read_lines(path: Path | str) -> list[Any]:
    """Read JSON lines; errors as `read_json`."""
    return list(_read(Path(path), lambda text: [json.loads(line) for line in text.splitlines()]))


def _read(path: Path, parse: Any) -> Any:
    try:
        data = path.read_bytes()
        return parse((gzip.decompress(data) if path.suffix == ".gz" else data).decode())
    except FileNotFoundError as error:
        raise BenchmarkError(f"{path} is missing", hint="download it first") from error
    except (OSError, ValueError, EOFError) as error:
        raise BenchmarkError(
            f"{path} cannot be read: {error}", hint="it may be truncated; download it again"
        ) from error
