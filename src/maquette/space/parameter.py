"""What may vary: `Float`, `Int` and `Choice`, and the conditions under which they exist.

A parameter is a declaration. It is checked by the `Space` that takes it in, which knows its name
and its neighbours and so can report every mistake of a space at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np

Scalar = str | int | float | bool | None
Config = dict[str, Scalar]

# What users hand in has these types to a type checker. At run time it may be anything: the space
# reports all that does not fit at once, which a check at the call would forestall.
if TYPE_CHECKING:
    GivenFloat = float
    GivenInt = int
    GivenBool = bool
    GivenWeights = Sequence[float]
    GivenPair = tuple[float, float]
    GivenValues = Sequence[Scalar]
    GivenConfig = Mapping[str, Any]
else:
    GivenFloat = GivenInt = GivenBool = GivenWeights = GivenPair = GivenValues = GivenConfig = Any


@final
@dataclass(frozen=True, slots=True)
class Condition:
    """A parameter exists only while its parent takes one of some values, or lies in a range.

    Parameters
    ----------
    parent
        Name of the parameter that is looked at. While it is itself inactive, nothing holds.
    values
        The parent's values that satisfy the condition.
    range
        Closed interval ``(low, high)``, instead of values.
    """

    parent: str
    values: tuple[Scalar, ...] = field(default=(), compare=False)
    range: GivenPair | None = None
    # True == 1 in Python and is not here, so that equality goes by the text of the values.
    _identity: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_identity", repr(self.values))

    def __str__(self) -> str:
        if self.range is not None:
            return f"{self.parent} in {self.range[0]:g}..{self.range[1]:g}"
        return f"{self.parent} = {' | '.join(show(v) for v in self.values)}"


if TYPE_CHECKING:
    When = Mapping[str, Any] | Sequence[Condition] | None
else:
    When = Any


@final
@dataclass(frozen=True, slots=True, repr=False)
class Float:
    """A real number.

    Parameters
    ----------
    low, high
        Inclusive bounds; equal bounds make a constant.
    log
        Search in log scale; needs ``low > 0``.
    default
        Value of the default config; None: the middle of the range in its scale.
    prior
        What is believed before any run, truncated to the range: ``(mean, standard deviation)``,
        or in log scale ``(median, factor)``, which puts two thirds of the mass between
        ``median / factor`` and ``median * factor``.
    when
        Conditions that must all hold for the parameter to exist: ``{"optimizer": "sgd"}``,
        ``{"optimizer": ["sgd", "muon"]}`` (a list: any of), ``{"layers": (4, 8)}`` (a pair of
        numbers: a closed range).
    """

    low: GivenFloat
    high: GivenFloat
    log: GivenBool = field(default=False, kw_only=True)
    default: GivenFloat | None = field(default=None, kw_only=True)
    prior: GivenPair | None = field(default=None, kw_only=True)
    when: When = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _set(self, low=_real(self.low), high=_real(self.high), default=_real(self.default))
        _set(self, prior=_reals(self.prior), when=_conditions(self.when))

    def __repr__(self) -> str:
        return _call(self, self.low, self.high)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Int:
    """A whole number; each has the same measure, in log scale proportional to its log cell.

    Parameters
    ----------
    low, high
        Inclusive bounds; equal bounds make a constant.
    log, default, prior, when
        As in `Float`; the default is a whole number.
    """

    low: GivenInt
    high: GivenInt
    log: GivenBool = field(default=False, kw_only=True)
    default: GivenInt | None = field(default=None, kw_only=True)
    prior: GivenPair | None = field(default=None, kw_only=True)
    when: When = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _set(self, low=whole(self.low), high=whole(self.high), default=whole(self.default))
        _set(self, prior=_reals(self.prior), when=_conditions(self.when))

    def __repr__(self) -> str:
        return _call(self, self.low, self.high)


UNSET: Any = object()


@final
@dataclass(frozen=True, slots=True, repr=False)
class Choice:
    """One of several values without an order.

    Parameters
    ----------
    values
        JSON scalars: strings, numbers, booleans, None. Numbers are compared by value, so ``1``
        and ``1.0`` are one value and cannot both stand here; ``True`` is not ``1``.
    default
        Value of the default config; left out: the first value.
    prior
        One weight per value, not negative; they need not sum to one.
    when
        As in `Float`.
    """

    values: GivenValues = field(compare=False)
    default: Any = field(default=UNSET, kw_only=True, compare=False)
    prior: GivenWeights | None = field(default=None, kw_only=True)
    when: When = field(default=None, kw_only=True)
    declared: bool = field(init=False)  # whether a default was given, which widening asks
    _identity: str = field(init=False)

    def __post_init__(self) -> None:
        values: Any = self.values
        if isinstance(values, Sequence | np.ndarray) and not isinstance(values, str):
            values = tuple(plain(v) for v in values)
        _set(self, values=values)
        known = values if isinstance(values, tuple) else ()
        absent = self.default is None and not any(v is None for v in known)
        given = self.default is not UNSET and not absent
        fallback = known[0] if known else None
        _set(self, declared=given, default=plain(self.default) if given else fallback)
        _set(self, _identity=repr((self.values, self.default)))
        _set(self, prior=_reals(self.prior), when=_conditions(self.when))

    def __repr__(self) -> str:
        return _call(self, list(self.values) if isinstance(self.values, tuple) else self.values)


Parameter = Float | Int | Choice

if TYPE_CHECKING:

    class _Named(Protocol):
        def keys(self) -> Iterable[str]: ...
        def __getitem__(self, name: str, /) -> Parameter: ...

    GivenParameters = _Named
    GivenTexts = Iterable[str]
else:
    GivenParameters = GivenTexts = Any


def conditions(parameter: Parameter) -> tuple[Condition, ...]:
    """Return a parameter's conditions; none where `when` is malformed (the space reports it)."""
    when = parameter.when
    well_formed = isinstance(when, tuple) and all(isinstance(c, Condition) for c in when)
    return when if isinstance(when, tuple) and well_formed else ()


def given_default(parameter: Parameter) -> bool:
    """Whether a default was declared, rather than left to the middle or the first choice."""
    return parameter.declared if isinstance(parameter, Choice) else parameter.default is not None


def needs(parameter: Parameter) -> str:
    """Write a parameter's conditions; empty if there are none."""
    return " and ".join(str(c) for c in conditions(parameter))


def plain(value: Any) -> Any:
    """Return the Python scalar of a numpy scalar, and anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def is_real(value: Any) -> bool:
    """Whether a value is a finite number; booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def whole(value: Any) -> Any:
    """Return the int of a value that is a whole number, and anything else as it is."""
    value = plain(value)
    return int(value) if is_real(value) and value == int(value) else value


def same(left: Any, right: Any) -> bool:
    """Whether two choice values are one: numbers by value, and True is not 1."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def position(value: Any, values: Sequence[Any]) -> int | None:
    """Return the index of a choice value among others, or None."""
    return next((i for i, v in enumerate(values) if same(v, value)), None)


def show(value: Scalar) -> str:
    """Write a value for people: strings bare, the rest as JSON would."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)


def _set(target: Parameter, **fields: Any) -> None:
    for name, value in fields.items():
        object.__setattr__(target, name, value)


def _real(value: Any) -> Any:
    value = plain(value)
    return float(value) + 0.0 if is_real(value) else value


def _reals(values: Any) -> Any:
    if isinstance(values, Sequence | np.ndarray) and not isinstance(values, str):
        return tuple(_real(v) for v in values)
    return values


def _conditions(when: Any) -> Any:
    if when is None:
        return ()
    if isinstance(when, Mapping):
        return tuple(_condition(parent, spec) for parent, spec in when.items())
    return tuple(when) if isinstance(when, list) else when


def _condition(parent: Any, spec: Any) -> Condition:
    if isinstance(spec, Mapping) and set(spec) == {"range"}:
        spec = spec["range"]
        ends = tuple(whole(v) for v in spec) if isinstance(spec, list | tuple) else (spec,)
        return Condition(parent, range=ends)
    if isinstance(spec, tuple) and len(spec) == 2 and all(is_real(plain(v)) for v in spec):
        return Condition(parent, range=(whole(spec[0]), whole(spec[1])))
    if isinstance(spec, Sequence | np.ndarray) and not isinstance(spec, str):
        return Condition(parent, tuple(plain(v) for v in spec))
    return Condition(parent, (plain(spec),))


def _call(parameter: Parameter, *leading: Any) -> str:
    parts = [repr(a) for a in leading]
    parts += ["log=True"] if getattr(parameter, "log", False) else []
    if getattr(parameter, "declared", parameter.default is not None):
        parts.append(f"default={parameter.default!r}")
    parts += [f"prior={parameter.prior!r}"] if parameter.prior is not None else []
    if parameter.when:
        pairs = [f"{c.parent!r}: {_spec(c)!r}" for c in conditions(parameter)]
        parts.append(f"when={{{', '.join(pairs)}}}" if pairs else f"when={parameter.when!r}")
    return f"{type(parameter).__name__}({', '.join(parts)})"


def _spec(condition: Condition) -> Any:
    if condition.range is not None:
        return condition.range
    return condition.values[0] if len(condition.values) == 1 else list(condition.values)
