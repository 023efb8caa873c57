"""The hull of two versions of a space: the smallest space that holds the configs of both.

Trials that were run before a space was narrowed stay evidence: models see every trial in the hull
of all versions, and propose in the version in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maquette.space.codec import Array, Mask
from maquette.space.parameter import (
    Choice,
    Condition,
    Float,
    Int,
    Parameter,
    conditions,
    given_default,
    position,
)
from maquette.space.versions import activity, same_activity

Parameters = Mapping[str, Parameter]


def hull(old: Parameters, new: Parameters) -> tuple[dict[str, Parameter], list[str]]:
    """Return the parameters that hold the configs of both versions, and what forbids them."""
    found: dict[str, Parameter] = {}
    problems: list[str] = []
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            if not given_default(before) and not _never(before, new):
                problems.append(
                    f"{name}: removed, but it has no default at which later trials would stand; "
                    "narrow it to one value instead"
                )
            found[name] = before
            continue
        wrong = _clash(before, after)
        if not wrong and not same_activity(before, after, old, new):
            wrong = "its condition differs for configs that both versions hold"
        if wrong:
            problems.append(f"{name}: {wrong}")
        else:
            found[name] = _join(before, after, _conditions(before, after, old, new))
    for name, after in new.items():
        if name not in old:
            if not given_default(after):
                problems.append(f"{name}: added, but it has no default for the trials before it")
            found[name] = after
    return found, problems


def _clash(before: Parameter, after: Parameter) -> str:
    if type(before) is not type(after):
        kinds = [type(p).__name__ for p in (before, after)]
        return f"{kinds[0]} cannot become {kinds[1]}"
    if isinstance(before, Choice) or isinstance(after, Choice):
        return ""
    if after.log and min(before.low, after.low) <= 0:
        return f"a log scale has no place for earlier values, which began at {before.low:g}"
    return ""


def _join(before: Parameter, after: Parameter, when: Mapping[str, Any] | None) -> Parameter:
    """Return a parameter that holds the values of both; no prior, and the newest default."""
    options: dict[str, Any] = {"when": when} if when else {}
    for version in (before, after):
        if given_default(version):
            options["default"] = version.default
    if isinstance(before, Choice) and isinstance(after, Choice):
        more = [v for v in after.values if position(v, before.values) is None]
        return Choice([*before.values, *more], **options)
    kind: Any = Float if isinstance(before, Float) else Int
    low, high = min(before.low, after.low), max(before.high, after.high)  # type: ignore[union-attr]
    return kind(low, high, log=after.log, **options)  # type: ignore[union-attr,no-any-return]


def _conditions(
    before: Parameter, after: Parameter, old: Parameters, new: Parameters
) -> dict[str, Any] | None:
    """Return the conditions under which either version has the parameter."""
    later = {c.parent: c for c in conditions(after)}
    found: dict[str, Any] = {}
    for condition in conditions(before):
        other = later[condition.parent]
        if condition == other:
            found[condition.parent] = _spec(condition)
            continue
        held = activity(condition, old[condition.parent])
        held += [v for v in activity(other, new[condition.parent]) if position(v, held) is None]
        found[condition.parent] = held
    return found or None


def _spec(condition: Condition) -> Any:
    return condition.range if condition.range is not None else list(condition.values)


def _never(parameter: Parameter, new: Parameters) -> bool:
    """Whether no config of a version has a parameter: a parent lacks the values that it needs."""
    for condition in conditions(parameter):
        parent = new.get(condition.parent)
        if parent is None or (isinstance(parent, Choice) and not activity(condition, parent)):
            return True
    return False


def carry(source: Any, target: Any, default: Array, unit: Array) -> tuple[Array, Mask]:
    """Return rows (n, d') of one codec, and masks, for the configs at rows (n, d) of another.

    Parameters
    ----------
    source, target
        Codecs; parameters go by their names.
    default
        Coded values (d',) for what the source does not know, or the target has no place for.
    """
    import numpy as np

    values = source.to_values(unit)
    out = np.tile(default, (len(values), 1))
    for j, (name, parameter) in enumerate(zip(target.names, target.parameters, strict=True)):
        if name not in source.names:
            continue
        i = source.names.index(name)
        column = values[:, i]
        if isinstance(parameter, Choice):
            known = [position(v, parameter.values) for v in source.parameters[i].values]
            table = np.array([default[j] if k is None else float(k) for k in known])
            column = table[column.astype(np.intp)]
        out[:, j] = np.clip(column, target.low[j], target.high[j])
    active = target.active(out)
    return target.to_unit(np.where(active, out, default)), active
