"""Suites: which tasks are compared on, and with what budget, as small TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any, final

from maquette.bench import catalogue
from maquette.errors import BenchmarkError, MaquetteError, nearest
from maquette.number import is_count, is_positive
from maquette.study import Budget

_KEYS = ("about", "tasks", "budget", "workers", "initial", "warm", "proxies", "targets")


@final
@dataclass(frozen=True, slots=True)
class Suite:
    """What is compared on.

    Parameters
    ----------
    name, about
        Its name, and one line.
    tasks
        Names of tasks; ``fcnet/*`` stands for a whole family.
    budget
        Of one run: ``{"trials": 100}``, or virtual ``seconds`` or ``cost``.
    workers
        Virtual workers of one run: trials at once, each replaced as soon as it ends.
    initial
        So many trials at the start are the same for every optimizer (0: each has its own start).
    warm
        0, or: every run starts with so many configs that were the best of 100 random ones on
        another task of the suite that has the same space.
    proxies
        Whether runs are made at the proxies of a task's scale, never at its target, where what is
        recommended is judged. Optimizers with the scheduler ``proxies`` choose the proxy and hand
        over a recipe; all others search at the cheapest proxy, and their recommendation is copied.
    targets
        Normalised regrets whose first reach is timed.
    """

    name: str
    about: str
    tasks: tuple[str, ...]
    budget: Mapping[str, float] = field(default_factory=lambda: {"trials": 100})
    workers: int = 1
    initial: int = 0
    warm: int = 0
    proxies: bool = False
    targets: tuple[float, ...] = (0.1, 0.01)

    @property
    def limit(self) -> Budget:
        """The budget of one run."""
        return Budget.parse(self.budget)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; `from_table` reads it back, given the name."""
        return {
            "name": self.name,
            "about": self.about,
            "tasks": list(self.tasks),
            "budget": dict(self.budget),
            "workers": self.workers,
            "initial": self.initial,
            "warm": self.warm,
            "proxies": self.proxies,
            "targets": list(self.targets),
        }


def names() -> tuple[str, ...]:
    """Return the names of the suites that come with Maquette."""
    folder = files("maquette.bench").joinpath("suites")
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir()))


def load(name: str) -> Suite:
    """Return a suite by its name, or read one from a TOML file.

    Raises
    ------
    BenchmarkError
        If there is no such suite or file, or it is malformed; every problem is named.
    """
    if name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise BenchmarkError(f"cannot read the suite {name}: {error.strerror}") from None
        return _parse(Path(name).stem, text)
    if name not in names():
        raise BenchmarkError(
            f"unknown suite {name!r}." + nearest(name, names()),
            hint="`maquette bench list` shows the suites; a file of your own ends in .toml",
        )
    place = files("maquette.bench").joinpath("suites", f"{name}.toml")
    return _parse(name, place.read_text(encoding="utf-8"))


def _parse(name: str, text: str) -> Suite:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BenchmarkError(f"suite {name!r} is not TOML: {error}") from None
    return from_table(name, table)


def from_table(name: str, table: Mapping[str, Any]) -> Suite:
    """Read a suite from a parsed file.

    Raises
    ------
    BenchmarkError
        Naming every problem.
    """
    problems = [f"unknown key {k!r}." + nearest(k, _KEYS) for k in table if k not in _KEYS]
    tasks, missing = _tasks(table.get("tasks"))
    problems += missing
    budget = table.get("budget", {"trials": 100})
    try:
        if Budget.parse(budget) == Budget():
            problems.append("budget: give trials, seconds or cost")
    except (MaquetteError, TypeError) as error:
        problems.append(f"budget: {error}")
    whole = {
        key: table.get(key, least) for key, least in (("workers", 1), ("initial", 0), ("warm", 0))
    }
    problems += [
        f"{key} must be a whole number, not {value!r}"
        for key, value in whole.items()
        if not is_count(value) and not (value == 0 and key != "workers")
    ]
    proxies = table.get("proxies", False)
    if not isinstance(proxies, bool):
        problems.append(f"proxies must be true or false, not {proxies!r}")
    targets = table.get("targets", (0.1, 0.01))
    if not isinstance(targets, list | tuple) or not all(map(is_positive, targets)):
        problems.append(f"targets must be a list of positive regrets, not {targets!r}")
    if problems:
        raise BenchmarkError([f"suite {name!r}: {p}" for p in problems])
    about = str(table.get("about", ""))
    return Suite(name, about, tasks, dict(budget), **whole, proxies=proxies, targets=tuple(targets))


def _tasks(patterns: Any) -> tuple[tuple[str, ...], list[str]]:
    if not isinstance(patterns, Sequence) or isinstance(patterns, str) or not patterns:
        return (), [f"tasks must be a list of names such as 'fcnet/*', not {patterns!r}"]
    known = catalogue.names()
    found: dict[str, None] = {}
    problems = []
    for pattern in patterns:
        matches = [n for n in known if fnmatchcase(n, str(pattern))]
        if not matches:
            problems.append(f"no task is called {pattern!r}." + nearest(str(pattern), known))
        found |= dict.fromkeys(matches)
    return tuple(found), problems
