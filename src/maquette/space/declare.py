"""Checking declarations: every mistake of a space's parameters, each with its name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from maquette.errors import nearest
from maquette.space.constraint import Constraint, parse
from maquette.space.parameter import (
    Choice,
    Condition,
    Float,
    Int,
    Parameter,
    conditions,
    is_real,
    position,
    show,
)

# Beyond these, two neighbouring integers would share a coordinate in [0, 1].
LARGEST_COUNT = 2**49
LARGEST_LOG = 2**43


def read(
    parameters: Any, constraints: Any, *, where: str = "", unreadable: Iterable[str] = ()
) -> tuple[dict[str, Parameter], tuple[Constraint, ...], list[str]]:
    """Read the declarations of a space.

    Parameters
    ----------
    parameters, constraints
        As `Space` takes them.
    where
        Key path that stands before each name in a message.
    unreadable
        Names whose own problem is already known: that they are missing is not another.

    Returns
    -------
    parameters, constraints, problems
        The first two are empty if there are problems.
    """
    if not isinstance(parameters, Mapping) and not hasattr(parameters, "keys"):
        return (
            {},
            (),
            [f"a space is made of a mapping from names to parameters, not {parameters!r}"],
        )
    given = {name: parameters[name] for name in parameters.keys()}  # noqa: SIM118 (or a Space)
    if not given and not unreadable:
        return {}, (), ["a space needs at least one parameter, for example lr=Float(1e-4, 1e-1)"]
    if isinstance(constraints, str) or not isinstance(constraints, Iterable):
        return {}, (), [f"constraints must be a list of texts, not {constraints!r}"]
    problems = _parameter_problems(given, where, tuple(unreadable))
    parsed: dict[str, Constraint] = {}
    named = {n: p for n, p in given.items() if isinstance(p, Float | Int | Choice)}
    silent = {*unreadable, *(str(n) for n in given if n not in named)}
    texts = list(constraints)
    # What is no text, and perhaps unhashable, is refused by `parse`.
    for text in (t for i, t in enumerate(texts) if t not in texts[:i]):
        constraint, wrong = parse(text, named, silent)
        problems += wrong
        parsed |= {constraint.text: constraint} if constraint else {}
    return ({}, (), problems) if problems else (given, tuple(parsed.values()), [])


def _parameter_problems(
    parameters: Mapping[Any, Any], where: str, unreadable: tuple[str, ...]
) -> list[str]:
    problems: list[str] = []
    sound = {n: p for n, p in parameters.items() if isinstance(p, Float | Int | Choice)}
    names = [*(n for n in parameters if isinstance(n, str)), *unreadable]
    for name, parameter in parameters.items():
        if not isinstance(name, str) or not name.strip():
            problems.append(f"parameter names must be non-empty strings, not {name!r}")
        elif not _is_text(name):
            problems.append(f"{name!r}: a name must be text that UTF-8 can write")
        elif name == "constraints":
            problems.append("constraints: this name is taken by the space's constraints")
        elif name not in sound:
            problems.append(
                f"{where}{name}: must be Float(low, high), Int(low, high) or Choice(values), "
                f"not {parameter!r}"
            )
        else:
            wrong = _own_problems(parameter) + _when_problems(name, parameter, sound, names)
            problems += [f"{where}{name}: {p}" for p in wrong]
    return problems + _cycles(sound)


def _own_problems(parameter: Parameter) -> list[str]:
    if isinstance(parameter, Choice):
        return _choice_problems(parameter)
    problems = _range_problems(parameter)
    return problems or _default_problems(parameter) + _prior_problems(parameter)


def _range_problems(p: Float | Int) -> list[str]:
    wanted = "a finite number" if isinstance(p, Float) else "a whole number"
    problems = [
        f"{side} must be {wanted}, not {bound!r}"
        for side, bound in (("low", p.low), ("high", p.high))
        if not is_real(bound) or (isinstance(p, Int) and not isinstance(bound, int))
    ]
    log: object = p.log
    if not isinstance(log, bool):
        problems.append(f"log must be True or False, not {p.log!r}")
    if problems:
        return problems
    if p.low > p.high:
        return [f"low {p.low:g} is above high {p.high:g}; swap them"]
    if p.log and p.low <= 0:
        return [f"log=True needs low > 0, not {p.low:g}"]
    if isinstance(p, Int) and p.log and p.high > LARGEST_LOG:
        return [f"high {p.high} is too large for a log Int (at most {LARGEST_LOG}); use Float"]
    if isinstance(p, Int) and max(p.high - p.low, abs(p.low), abs(p.high)) > LARGEST_COUNT:
        return [f"[{p.low}, {p.high}] holds too many integers to search (at most {LARGEST_COUNT})"]
    if not math.isfinite(p.high - p.low):
        return [f"[{p.low:g}, {p.high:g}] is too wide for floating point"]
    return []


def _default_problems(p: Float | Int) -> list[str]:
    if p.default is None:
        return []
    if not is_real(p.default) or (isinstance(p, Int) and not isinstance(p.default, int)):
        wanted = "a finite number" if isinstance(p, Float) else "a whole number"
        return [f"default must be {wanted}, not {p.default!r}"]
    if not p.low <= p.default <= p.high:
        return [f"default {p.default:g} lies outside [{p.low:g}, {p.high:g}]"]
    return []


def _prior_problems(p: Float | Int) -> list[str]:
    if p.prior is None:
        return []
    form = "(median, factor)" if p.log else "(mean, standard deviation)"
    if not (isinstance(p.prior, tuple) and len(p.prior) == 2 and all(map(is_real, p.prior))):
        return [f"prior must be {form}, two finite numbers, not {p.prior!r}"]
    centre, spread = p.prior
    problems = []
    if not p.low <= centre <= p.high:
        problems.append(f"prior {form}: {centre:g} lies outside [{p.low:g}, {p.high:g}]")
    if p.log and spread <= 1:
        problems.append(f"prior {form}: the factor must be above 1, not {spread:g}")
    if not p.log and spread <= 0:
        problems.append(f"prior {form}: the standard deviation must be above 0, not {spread:g}")
    return problems


def _choice_problems(p: Choice) -> list[str]:
    values: object = p.values
    if not isinstance(values, tuple):
        return [f"values must be a list, not {values!r}"]
    if not p.values:
        return ["values is empty: give at least one"]
    problems = [
        f"{v!r} is not a string, a finite number, a boolean or None"
        for v in p.values
        if not (v is None or isinstance(v, str | bool) or is_real(v))
    ]
    problems += [
        f"{v!r} is not text that UTF-8 can write"
        for v in p.values
        if isinstance(v, str) and not _is_text(v)
    ]
    twice = [v for i, v in enumerate(p.values) if position(v, p.values[:i]) is not None]
    problems += [f"{v!r} stands twice" for v in twice]
    if p.declared and position(p.default, p.values) is None:
        known = nearest(show(p.default), [show(v) for v in p.values]) if _scalar(p.default) else ""
        problems.append(f"default {p.default!r} is not one of the values.{known}")
    if p.prior is not None:
        weights = p.prior if isinstance(p.prior, tuple) else ()
        sound = all(is_real(w) and w >= 0 for w in weights) and any(weights)
        if len(weights) != len(p.values) or not sound:
            problems.append(
                f"prior must hold {len(p.values)} weights, one per value, none negative and "
                f"not all zero, not {p.prior!r}"
            )
    return problems


def _is_text(value: str) -> bool:
    """Whether files and stores can hold a string: half of a surrogate pair they cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _scalar(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _when_problems(
    name: str, parameter: Parameter, sound: Mapping[str, Parameter], names: Iterable[Any]
) -> list[str]:
    if parameter.when and not conditions(parameter):
        return [f"when must map a parameter's name to its value, not {parameter.when!r}"]
    problems: list[str] = []
    others = [n for n in names if n != name]
    parents = [c.parent for c in conditions(parameter)]
    problems += [
        f"when: {p!r} stands twice" for p in dict.fromkeys(parents) if parents.count(p) > 1
    ]
    for condition in conditions(parameter):
        parent = condition.parent
        if parent == name:
            problems.append("when: a parameter cannot depend on itself")
        elif parent not in others:
            known = nearest(str(parent), others)
            problems.append(f"when: unknown parameter {parent!r}.{known}")
        elif parent in sound and not _own_problems(sound[parent]):
            problems += [f"when {parent}: {p}" for p in _spec_problems(condition, sound[parent])]
    return problems


def _spec_problems(condition: Condition, parent: Parameter) -> list[str]:
    if condition.range is not None:
        return _interval_problems(condition.range, parent)
    if not condition.values:
        return ["give at least one value"]
    return [p for v in condition.values if (p := value_problem(v, parent))]


def _interval_problems(pair: tuple[Any, ...], parent: Parameter) -> list[str]:
    if len(pair) != 2 or not all(map(is_real, pair)):
        return [f"a range is two finite numbers, not {pair!r}"]
    low, high = pair
    if low > high:
        return [f"range ({low:g}, {high:g}): low is above high; swap them"]
    if isinstance(parent, Choice):
        met = any(is_real(v) and low <= v <= high for v in parent.values)
    else:
        met = low <= parent.high and high >= parent.low
    return [] if met else [f"range ({low:g}, {high:g}) meets none of {extent(parent)}"]


def extent(parameter: Parameter) -> str:
    """Write the range or the values of a parameter."""
    if isinstance(parameter, Choice):
        return ", ".join(show(v) for v in parameter.values)
    return f"[{show(parameter.low)}, {show(parameter.high)}]"


def value_problem(value: Any, parameter: Parameter) -> str | None:
    """Say why a value does not fit a parameter; None if it does."""
    if isinstance(parameter, Choice):
        if position(value, parameter.values) is not None:
            return None
        known = nearest(str(value), [show(v) for v in parameter.values])
        return f"{value!r} is not one of the choices.{known}"
    if not is_real(value):
        wanted = "a finite number" if isinstance(parameter, Float) else "a whole number"
        return f"must be {wanted}, not {value!r}"
    if isinstance(parameter, Int) and value != int(value):
        return f"must be a whole number, not {value!r}"
    if not parameter.low <= value <= parameter.high:
        return f"{value!r} lies outside {extent(parameter)}"
    return None


def _cycles(parameters: Mapping[str, Parameter]) -> list[str]:
    """Name each cycle of conditions once, along the path that closes it."""
    problems: list[str] = []
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycle = path[path.index(name) :]
            if len(cycle) > 1:
                problems.append(f"when: {' -> '.join([*cycle, name])} is a cycle")
            return
        if name in done:
            return
        for condition in conditions(parameters[name]):
            if condition.parent in parameters:
                visit(condition.parent, (*path, name))
        done.add(name)

    for name in parameters:
        visit(name, ())
    return problems


def order(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """Sort names so that parents come before what depends on them (no cycles)."""
    placed: dict[str, None] = {}

    def place(name: str) -> None:
        if name not in placed:
            for condition in conditions(parameters[name]):
                place(condition.parent)
            placed[name] = None

    for name in parameters:
        place(name)
    return tuple(placed)
