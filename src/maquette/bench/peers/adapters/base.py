"""What an adapter is given, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, final, runtime_checkable


@final
@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the space.

    Parameters
    ----------
    name
        Its name.
    kind
        ``"float"``, ``"int"`` or ``"choice"``.
    low, high
        Ends of the range, inclusive; 0 for a choice.
    log
        Whether its scale is logarithmic.
    values
        Of a choice.
    default
        The declared default, else the middle of the (log) range or the first choice.
    when
        Parent to a value, a list of values or ``{"range": [low, high]}``; all must hold.
    """

    name: str
    kind: str
    low: float
    high: float
    log: bool
    values: tuple[Any, ...]
    default: Any
    when: Mapping[str, Any] = field(default_factory=dict)

    def active(self, config: Mapping[str, Any]) -> bool:
        """Whether the parameter is in force, given its parents' values."""
        return all(p in config and _holds(config[p], spec) for p, spec in self.when.items())

    def place(self, value: Any) -> int:
        """Return the place of a choice's value; True is not 1."""
        same = [isinstance(v, bool) == isinstance(value, bool) and v == value for v in self.values]
        return same.index(True)


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """What a tuner is asked to do.

    Parameters
    ----------
    method
        Which of the tuner's methods.
    space
        Parents stand before the parameters that depend on them.
    seed
        For everything random.
    trials
        The budget, where it is a number of trials.
    workers
        How many trials run at once.
    duration
        (least, full) of the learning curve's axis; None: a run has one result.
    """

    method: str
    space: tuple[Parameter, ...]
    seed: int
    trials: int | None = None
    workers: int = 1
    duration: tuple[float, float] | None = None

    def complete(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a config with defaults in the place of its inactive parameters."""
        return {p.name: config.get(p.name, p.default) for p in self.space}


@final
@dataclass(frozen=True, slots=True)
class Proposal:
    """A config to run, up to a duration; None: the full one.

    `config` may hold inactive parameters; they are dropped.
    """

    config: Mapping[str, Any]
    until: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trial: `loss` is None where it failed or was stopped early."""

    state: str
    loss: float | None
    seconds: float
    cost: float


class UnsupportedError(Exception):
    """The tuner cannot do what is asked of it; the reason is recorded."""


@runtime_checkable
class Adapter(Protocol):
    """A tuner behind ask and tell; losses are minimised."""

    def ask(self, trial: int) -> Proposal | None:
        """Return what to run as a trial of this number; None: wait for results first."""

    def tell(self, trial: int, result: Result) -> None:
        """Take what came of a trial that was asked for."""


@runtime_checkable
class Observes(Protocol):
    """Can be told of configs that it did not propose."""

    def observe(self, config: Mapping[str, Any], loss: float) -> None:
        """Take the loss of a config of the space."""


@runtime_checkable
class Schedules(Protocol):
    """Decides after each report whether a trial goes on."""

    def report(self, trial: int, step: float, loss: float, seconds: float) -> str:
        """Return ``"continue"`` or ``"stop"``; steps before the last one alone are reported."""


@runtime_checkable
class Recommends(Protocol):
    """Has a recommendation of its own, which need not be the best config observed."""

    def recommend(self) -> Mapping[str, Any] | None:
        """Return the config that the tuner would use now."""


def parameters(tables: Mapping[str, Mapping[str, Any]]) -> tuple[Parameter, ...]:
    """Read the tables of a space, and put parents first."""
    found = {name: _parameter(name, table) for name, table in tables.items()}
    ordered: dict[str, Parameter] = {}
    while len(ordered) < len(found):
        ready = [n for n, p in found.items() if n not in ordered and set(p.when) <= set(ordered)]
        ordered |= {n: found[n] for n in ready}
        if not ready:
            raise ValueError("the conditions of the space go round in a circle")
    return tuple(ordered.values())


def _parameter(name: str, table: Mapping[str, Any]) -> Parameter:
    log, when = bool(table.get("log")), table.get("when", {})
    if "choice" in table:
        values = tuple(table["choice"])
        return Parameter(name, "choice", 0, 0, False, values, table.get("default", values[0]), when)
    kind = "float" if "float" in table else "int"
    low, high = table[kind]
    middle = (low * high) ** 0.5 if log else (low + high) / 2
    default = table.get("default", round(middle) if kind == "int" else middle)
    return Parameter(name, kind, low, high, log, (), default, when)


def _holds(value: Any, spec: Any) -> bool:
    if isinstance(spec, Mapping):
        return bool(spec["range"][0] <= value <= spec["range"][1])
    wanted = spec if isinstance(spec, Sequence) and not isinstance(spec, str) else [spec]
    return value in wanted
