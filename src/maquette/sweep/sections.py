"""The tables of a sweep file that say what is searched, each read with all its mistakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, final

from maquette.errors import MaquetteError, nearest
from maquette.executor import KINDS, Kind
from maquette.fidelity import Duration
from maquette.instances import Instances
from maquette.number import as_number, as_seconds
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.schedule import SCHEDULERS, Scheduler
from maquette.search import SEARCHERS, Searcher
from maquette.space import Space
from maquette.study import Budget

Value = TypeVar("Value")


@final
class Mistakes:
    """Collects what is wrong with a file, each with its key path."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, where: str, text: str) -> None:
        """Note a mistake."""
        self.found.append(f"{where}: {text}")

    def attempt(self, where: str, make: Callable[[], Value]) -> Value | None:
        """Return what `make` makes, or None with its mistakes noted under a key path."""
        try:
            return make()
        except MaquetteError as error:
            prefix = f"{where}: " if where else ""
            self.found += [p if p.startswith(f"{where}.") else prefix + p for p in error.problems]
            return None

    def table(self, value: Any, where: str, valid: Collection[str] = ()) -> Mapping[str, Any]:
        """Return a table; empty, with the mistake noted, if it is none or has unknown keys."""
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.add(where, f"must be a table, not {value!r}")
            return {}
        for key in value:
            if valid and key not in valid:
                self.add(f"{where}.{key}", f"unknown key.{nearest(key, valid)}")
        return value

    def whole(self, value: Any, where: str, least: int) -> int:
        """Return a whole number of `least` or more."""
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.add(where, f"must be a whole number, {least} or more, not {value!r}")
            return least
        return value

    def text(self, value: Any, where: str) -> str | None:
        """Return a text that is not empty; None where none is given."""
        if value is not None and not (isinstance(value, str) and value.strip()):
            self.add(where, f"must be a text, not {value!r}")
            return None
        return value

    def seconds(self, value: Any, where: str) -> float | None:
        """Return a time span in seconds: a number, or a text such as ``"4h"`` or ``"1h 30m"``."""
        if value is None:
            return None
        seconds = as_seconds(value)
        if seconds is None:
            self.add(where, f'must be seconds or a time such as "4h" or "90s", not {value!r}')
        return seconds


def read_space(tables: Any, mistakes: Mistakes) -> Space | None:
    """Read ``[space]``."""
    if tables is None:
        mistakes.add("space", "is missing; for example lr = { float = [1e-4, 1e-1], log = true }")
        return None
    return mistakes.attempt("space", lambda: Space.from_toml({"space": tables}))


def read_objective(value: Any, mistakes: Mistakes) -> Objective | None:
    """Read ``[objective]``, or ``objective = "max:accuracy"``; ``"loss"`` where it is left out."""
    if value is None or isinstance(value, str):
        return mistakes.attempt("objective", lambda: Objective.parse(value or "loss"))
    keys = ("minimize", "maximize", "constraints", "cost")
    table = mistakes.table(value, "objective", keys)
    options = {k: v for k, v in table.items() if k in keys}
    before = len(mistakes.found)
    for key in ("minimize", "maximize"):
        names = options.get(key, [])
        if not isinstance(names, str) and not _is_list_of(names, str):
            mistakes.add(f"objective.{key}", f"must be a name or a list of names, not {names!r}")
    mistakes.table(options.get("constraints"), "objective.constraints")
    mistakes.text(options.get("cost"), "objective.cost")
    if len(mistakes.found) > before:
        return None
    return mistakes.attempt("objective", lambda: Objective(**options))


def read_scale(value: Any, mistakes: Mistakes) -> Scale | None:
    """Read ``[scale]``: axis = [base, target], and a list of proxies."""
    table = mistakes.table(value, "scale")
    if not table:
        return None
    axes = {name: pair for name, pair in table.items() if name != "proxies"}
    proxies = table.get("proxies")
    if proxies is not None and not _is_list_of(proxies, Mapping):
        mistakes.add("scale.proxies", "must be a list of tables such as [{ width = 64 }]")
        proxies = None
    # Names come from a file: an axis may be called like a parameter of the class.
    document = {"axes": axes} if proxies is None else {"axes": axes, "proxies": proxies}
    bad = [n for n, pair in axes.items() if not isinstance(pair, list)]
    for name in bad:
        mistakes.add(f"scale.{name}", f"must be [base, target], not {axes[name]!r}")
    return None if bad else mistakes.attempt("scale", lambda: Scale.from_json(document))


def read_duration(value: Any, mistakes: Mistakes) -> Duration:
    """Read ``[fidelity]``: key = [least, full]."""
    table = mistakes.table(value, "fidelity")
    return mistakes.attempt("fidelity", lambda: Duration.parse(table)) or Duration()


def read_instances(value: Any, mistakes: Mistakes) -> Instances | None:
    """Read ``[instances]``: tune and test, two lists."""
    table = mistakes.table(value, "instances", ("tune", "test"))
    if not table:
        return None
    lists = {key: table.get(key, []) for key in ("tune", "test")}
    bad = [key for key, items in lists.items() if not isinstance(items, list)]
    for key in bad:
        mistakes.add(f"instances.{key}", f"must be a list, not {lists[key]!r}")
    return None if bad else mistakes.attempt("instances", lambda: Instances(**lists))


def read_budget(value: Any, mistakes: Mistakes) -> Budget | None:
    """Read ``budget = 50`` or ``[budget]``: trials, seconds (a number or ``"4h"``), cost."""
    if value is None:
        return None
    if as_number(value) is not None:
        return mistakes.attempt("budget", lambda: Budget.parse(value))
    table = dict(mistakes.table(value, "budget", ("trials", "seconds", "cost")))
    known: dict[str, Any] = {
        key: table[key] for key in ("trials", "seconds", "cost") if key in table
    }
    if "seconds" in known:
        known["seconds"] = mistakes.seconds(known["seconds"], "budget.seconds")
    return mistakes.attempt("budget", lambda: Budget.parse(known))


def read_searcher(value: Any, mistakes: Mistakes) -> Searcher | None:
    """Read a searcher's name, or a table of its name and settings."""
    return _method(value, "searcher", SEARCHERS, mistakes)


def read_scheduler(value: Any, mistakes: Mistakes) -> Scheduler | None:
    """Read a scheduler's name, or a table of its name and settings."""
    return _method(value, "scheduler", SCHEDULERS, mistakes)


def read_executor(value: Any, mistakes: Mistakes) -> Kind | None:
    """Read an executor's name, or a table of its name and options; None where it is left out."""
    if value is None:
        return None
    if isinstance(value, str | Mapping):
        named = value if isinstance(value, str) else value.get("name")
        if named == "inline":
            mistakes.add("executor", "a sweep runs its programs under processes of their own")
            return None
    return _method(value, "executor", KINDS, mistakes)


def _method(
    value: Any, where: str, known: Mapping[str, Callable[..., Value]], mistakes: Mistakes
) -> Value | None:
    table = {"name": value} if isinstance(value, str) else dict(mistakes.table(value, where))
    name = table.pop("name", None)
    if not isinstance(name, str):
        if isinstance(value, Mapping):
            mistakes.add(f"{where}.name", f"is missing; one of {', '.join(known)}")
        return None
    if name not in known:
        mistakes.add(where, f"there is no {name!r}.{nearest(name, known)}")
        return None
    make: Any = known[name]
    fields = dataclasses.fields(make) if dataclasses.is_dataclass(make) else ()
    settings = {f.name: str(f.type) for f in fields if f.init}
    before = len(mistakes.found)
    for key, setting in table.items():
        if key not in settings:
            mistakes.add(f"{where}.{key}", f"{name} has no such setting.{nearest(key, settings)}")
        elif not _fits(setting, settings[key]):
            mistakes.add(f"{where}.{key}", f"must be {settings[key]}, not {setting!r}")
    if len(mistakes.found) > before:
        return None
    return mistakes.attempt(where, lambda: known[name](**table))


def _fits(value: Any, annotation: str) -> bool:
    """Whether a value is of one of the simple types in an annotation such as ``int | None``."""
    if annotation.startswith("Mapping"):
        return isinstance(value, Mapping)
    if annotation.startswith("Sequence"):
        return isinstance(value, list)
    kinds = annotation.split(" | ")
    if isinstance(value, bool):
        return "bool" in kinds
    if isinstance(value, int):
        return "int" in kinds or "float" in kinds
    return type(value).__name__ in kinds


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)
