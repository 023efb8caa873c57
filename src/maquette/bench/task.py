"""A benchmark task: a space, what is measured in it, and what is known about the answer.

Every task, be it a table, a surrogate, a function or a training that runs here and now, is asked in
the same two ways: `Task.measure` for many configs at once, and `Task.replay` for one job of a study
in simulated time. Noise is a *row*: the seed of a table, the instance of a live training. The truth
about a config is its mean over the rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maquette.errors import BenchmarkError
from maquette.instances import Instances
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.simulate import End, stretch
from maquette.simulate.replay import Moment
from maquette.space import Choice, Space
from maquette.space.columns import gather
from maquette.space.parameter import Parameter
from maquette.trial import Report, State, Trial

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
States = NDArray[np.object_]


@final
@dataclass(frozen=True, slots=True)
class Card:
    """Where a family's data come from.

    Parameters
    ----------
    source
        Project or paper whose data these are, with the version.
    licence
        Under which they may be used.
    references
        Publications to cite.
    files
        Files below the data folder that the family reads; empty: computed here.
    """

    source: str
    licence: str
    references: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Measured:
    """n runs with m reports each.

    Attributes
    ----------
    steps
        Durations of the reports, rising, shape (m,); ``[1.0]`` where there is no learning curve.
    metrics
        Name to values, shape (n, m); NaN from the step on at which a run failed.
    seconds
        Since the run began, shape (n, m).
    cost
        In the task's unit, shape (n, m); None: seconds are the cost.
    states
        How each run ends, shape (n,): ``State.DONE`` or a failure.
    ended
        Seconds at which it ended, shape (n,).
    """

    steps: Array
    metrics: Mapping[str, Array]
    seconds: Array
    cost: Array | None
    states: States
    ended: Array


def all_done(n: int) -> States:
    """Return the states of n runs that all succeed."""
    states = np.empty(n, dtype=object)
    states.fill(State.DONE)  # np.full would make plain texts of them
    return states


def one_report(
    metrics: Mapping[str, Array],
    seconds: Array,
    states: States | None = None,
    *,
    cost: Array | None = None,
) -> Measured:
    """Return n runs without a learning curve: all arrays have shape (n,)."""
    return Measured(
        steps=np.ones(1),
        metrics={name: v[:, None] for name, v in metrics.items()},
        seconds=seconds[:, None],
        cost=None if cost is None else cost[:, None],
        states=all_done(len(seconds)) if states is None else states,
        ended=seconds,
    )


@runtime_checkable
class Measure(Protocol):
    """What lies behind a task."""

    def __call__(self, values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        """Measure n configs.

        Parameters
        ----------
        values
            Shape (n, d): the numbers of a config in the order of the space, the index of a choice,
            NaN where a parameter is inactive.
        rows
            Which seed or instance, shape (n,), any non-negative numbers; None: the truth.
        scale
            The cell, where the task has a scale; otherwise empty.
        """


@final
@dataclass(frozen=True)
class Task:
    """A benchmark task.

    Parameters
    ----------
    name
        ``"family/task"``.
    about
        One line.
    space, objective
        What may vary, and what is optimised.
    card
        Licence and source.
    backend
        What measures; users call `measure`.
    optimum
        The least true loss that is known (a maximised metric counts negatively), at the target
        where the task has a scale.
    median
        The true loss of the median config, drawn as random search draws it.
    exact
        Whether `optimum` is the optimum, not just the best seen.
    rows
        Seeds or instances that can be told apart; 1: measured without noise.
    duration
        Name to (least, full) of the learning curve's axis; empty: a run has one result.
    scale
        Proxies and target; None where there is one size.
    instances
        Tuning and test instances, kept apart; None: rows are mere noise.
    failures
        How a run may fail.
    levels
        What the whole numbers of a parameter stand for, where it is the place on a grid.
    live
        Whether measuring trains for real.
    """

    name: str
    about: str
    space: Space
    objective: Objective
    card: Card
    backend: Measure
    optimum: float
    median: float
    exact: bool = False
    rows: int = 1
    duration: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    scale: Scale | None = None
    instances: Instances | None = None
    failures: tuple[State, ...] = ()
    levels: Mapping[str, Sequence[float]] = field(default_factory=dict)
    live: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What a study of this task is made with: ``Study(name, task.space, **task.settings)``."""
        return {
            "objective": self.objective,
            "fidelity": dict(self.duration) or None,
            "scale": self.scale,
            "instances": self.instances,
        }

    def measure(
        self,
        configs: Sequence[Mapping[str, Any]],
        rows: Sequence[int] | Rows | None = None,
        *,
        scale: Mapping[str, float] | None = None,
    ) -> Measured:
        """Measure n configs at once.

        Parameters
        ----------
        configs
            Of this task's space.
        rows
            Which seed or instance each is measured on, shape (n,); None: the mean over all.
        scale
            The cell; None: the target. Axes that are left out stand at the target.

        Raises
        ------
        SpaceError
            If a config does not belong to the space.
        BenchmarkError
            If rows are negative or of another number than the configs.
        """
        values = self._values(configs)
        cell = {} if self.scale is None else self.scale.complete(scale or {})
        return self.backend(values, self._rows(rows, len(configs)), cell)

    def losses(
        self,
        configs: Sequence[Mapping[str, Any]],
        rows: Sequence[int] | Rows | None = None,
        *,
        scale: Mapping[str, float] | None = None,
    ) -> Array:
        """Return the primary metric of n whole runs as losses, shape (n,).

        NaN where a run fails or breaks a constraint. Parameters and errors are those of `measure`;
        without `rows` these are the true losses, from which regret is computed.
        """
        metrics = self.measure(configs, rows, scale=scale).metrics
        losses = self.objective.signs[0] * metrics[self.objective.primary][:, -1]
        if self.objective.constraints:
            bound = {name: metrics[name][:, -1] for name in self.objective.constraints}
            for i in range(len(losses)):
                if self.objective.violation({name: float(v[i]) for name, v in bound.items()}):
                    losses[i] = np.nan
        return np.asarray(losses)

    def regret(self, configs: Sequence[Mapping[str, Any]]) -> Array:
        """Return (true loss - optimum) / (median - optimum), shape (n,); NaN where a run fails."""
        return np.asarray((self.losses(configs) - self.optimum) / (self.median - self.optimum))

    def replay(self, trial: Trial, cell: Mapping[str, float] | None = None) -> Iterator[Moment]:
        """Yield what one job reports and how it ends; the objective of `maquette.simulate`.

        A trial without a scale runs in `cell`; None: the target. The row is the trial's instance
        where there is one, else it follows from the trial's seed: trials of the same number in
        studies of the same seed share their noise.
        """
        row = trial.instance if isinstance(trial.instance, int) else trial.seed
        measured = self.measure([trial.config], [row], scale=trial.scale or cell)
        if not self.duration:
            yield _end(measured, {k: float(v[0, -1]) for k, v in measured.metrics.items()})
            return
        yield from stretch(_curve(measured, self.objective.primary), trial)
        if measured.states[0] is not State.DONE and _reached(measured, self.objective, trial):
            before = measured.steps <= trial.first_step
            spent = float(measured.seconds[0, before][-1]) if before.any() else 0.0
            yield _end(measured, None, spent)

    def decoded(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a config with the levels' own values in the place of their numbers."""
        return {k: self.levels[k][v] if k in self.levels else v for k, v in config.items()}

    def _values(self, configs: Sequence[Mapping[str, Any]]) -> Array:
        parameters, low, high, free = self._bounds
        values = gather(configs, parameters)
        sound = (values >= low) & (values <= high)
        if not sound.all():
            sound |= np.isnan(values) & free
            for i in np.flatnonzero(~sound.all(axis=1)).tolist():
                self.space.check(configs[i])
        return values

    @cached_property
    def _bounds(self) -> tuple[dict[str, Parameter], Array, Array, NDArray[np.bool_]]:
        """The parameters, the ends of their coded values, and which may be inactive."""
        parameters = dict(self.space.items())
        low, high = np.array([_range(p) for p in parameters.values()]).T
        return parameters, low, high, np.array([bool(p.when) for p in parameters.values()])

    def _rows(self, rows: Sequence[int] | Rows | None, n: int) -> Rows | None:
        if rows is None:
            return None
        given = np.asarray(rows, dtype=np.int64)
        if given.shape != (n,) or (given < 0).any():
            raise BenchmarkError(
                f"{self.name}: rows must be {n} whole numbers from 0 on, one a config, not {rows!r}"
            )
        return given


def _range(parameter: Any) -> tuple[float, float]:
    if isinstance(parameter, Choice):
        return 0.0, len(parameter.values) - 1.0
    return parameter.low, parameter.high


def _curve(measured: Measured, primary: str) -> Iterator[Report]:
    """The reports of the only run, up to where it fails."""
    for j, step in enumerate(measured.steps.tolist()):
        metrics = {name: float(v[0, j]) for name, v in measured.metrics.items()}
        if math.isnan(metrics[primary]):
            return
        cost = None if measured.cost is None else float(measured.cost[0, j])
        yield Report(step, metrics, cost, float(measured.seconds[0, j]))


def _reached(measured: Measured, objective: Objective, trial: Trial) -> bool:
    """Whether a job goes as far as the step at which the run fails."""
    failing = measured.steps[np.isnan(measured.metrics[objective.primary][0])]
    until = next(iter(trial.until.values()), math.inf)
    return not failing.size or bool(failing[0] <= until)


def _end(measured: Measured, result: Mapping[str, float] | None, spent: float = 0.0) -> End:
    """How the only run ends; `spent` seconds of it lie before the job."""
    state, seconds = measured.states[0], max(0.0, float(measured.ended[0]) - spent)
    if state is not State.DONE:
        return End(None, seconds, None, state, f"the run ends as {state.value}")
    cost = None if measured.cost is None else float(measured.cost[0, -1])
    return End(result, seconds, cost)
