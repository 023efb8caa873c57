"""Two versions of a space: what changed, and whether earlier configs still belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maquette.space.declare import extent
from maquette.space.parameter import (
    Choice,
    Condition,
    Parameter,
    Scalar,
    conditions,
    given_default,
    is_real,
    needs,
    position,
    show,
)

Parameters = Mapping[str, Parameter]


def changes(old: Parameters, new: Parameters) -> list[str]:
    """Return one sentence per change of the parameters, from old to new."""
    lines = [f"{name}: removed" for name in old if name not in new]
    lines += [f"{name}: added, {new[name]!r}" for name in new if name not in old]
    for name in old:
        if name in new:
            lines += [f"{name}: {c}" for c in _changes(old[name], new[name])]
    kept = [n for n in old if n in new]
    if kept != [n for n in new if n in old]:
        lines.append(f"order: {', '.join(kept)} -> {', '.join(n for n in new if n in old)}")
    return lines


def _changes(old: Parameter, new: Parameter) -> list[str]:
    if type(old) is not type(new):
        return [f"{_kind(old)} -> {_kind(new)}: {extent(old)} -> {extent(new)}"]
    lines = []
    if isinstance(old, Choice) and isinstance(new, Choice):
        lines += [f"choice {show(v)} added" for v in new.values if position(v, old.values) is None]
        lines += [
            f"choice {show(v)} removed" for v in old.values if position(v, new.values) is None
        ]
        kept = [v for v in old.values if position(v, new.values) is not None]
        if kept != [v for v in new.values if position(v, old.values) is not None]:
            lines.append(f"choices {extent(old)} -> {extent(new)}")
    elif not isinstance(old, Choice) and not isinstance(new, Choice):
        if (old.low, old.high) != (new.low, new.high):
            lines.append(f"range {extent(old)} -> {extent(new)}")
        if old.log != new.log:
            lines.append(f"scale {_scale(old.log)} -> {_scale(new.log)}")
    if _given(old) != _given(new):
        lines.append(f"default {_default(old)} -> {_default(new)}")
    if old.prior != new.prior:
        lines.append(f"prior {_prior(old)} -> {_prior(new)}")
    if old.when != new.when:
        lines.append(f"when {_when(old)} -> {_when(new)}")
    return lines


def accepts(new: Parameters, old: Parameters) -> bool:
    """Whether every config of old, completed by defaults, fits new (constraints apart)."""
    added = [p for name, p in new.items() if name not in old]
    return all(given_default(p) for p in added) and all(
        name in new
        and _covers(new[name], old[name])
        and same_activity(old[name], new[name], old, new)
        for name in old
    )


def same_activity(before: Parameter, after: Parameter, old: Parameters, new: Parameters) -> bool:
    """Whether configs that both versions hold have a parameter in both, or in neither.

    A condition may name values that the other version of its parent does not have.
    """
    earlier, later = ({c.parent: c for c in conditions(p)} for p in (before, after))
    if earlier.keys() != later.keys():
        return False
    for parent, condition in earlier.items():
        if condition == later[parent]:
            continue
        a, b = old.get(parent), new.get(parent)
        if not isinstance(a, Choice) or not isinstance(b, Choice):
            return False
        held, held_later = activity(condition, a), activity(later[parent], b)
        for value in a.values:
            if position(value, b.values) is not None and (
                (position(value, held) is None) != (position(value, held_later) is None)
            ):
                return False
    return True


def activity(condition: Condition, parent: Parameter) -> list[Scalar]:
    """Return the values of a choice at which a condition on it holds."""
    if not isinstance(parent, Choice):
        return []
    if condition.range is None:
        return [v for v in parent.values if position(v, condition.values) is not None]
    low, high = condition.range
    return [v for v in parent.values if is_real(v) and low <= v <= high]  # type: ignore[operator]


def _covers(new: Parameter, old: Parameter) -> bool:
    if isinstance(old, Choice):
        return isinstance(new, Choice) and all(
            position(v, new.values) is not None for v in old.values
        )
    if isinstance(new, Choice) or type(new) is not type(old):
        return False
    return new.low <= old.low and old.high <= new.high


def _kind(parameter: Parameter) -> str:
    return type(parameter).__name__.lower()


def _scale(log: bool) -> str:
    return "log" if log else "linear"


def _given(parameter: Parameter) -> tuple[bool, str]:
    given = given_default(parameter)
    return given, repr(parameter.default) if given else ""


def _prior(parameter: Parameter) -> str:
    numbers: Sequence[float] = parameter.prior or ()
    return f"({', '.join(show(x) for x in numbers)})" if numbers else "none"


def _default(parameter: Parameter) -> str:
    return show(parameter.default) if given_default(parameter) else "unset"


def _when(parameter: Parameter) -> str:
    return needs(parameter) or "always"
