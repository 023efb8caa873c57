"""All tasks by name; a family is imported, and its data are read, when one of them is asked for."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from maquette.bench.family import Family
from maquette.bench.task import Task
from maquette.errors import BenchmarkError, nearest

FAMILIES = (
    "algoperf",
    "autoresearch",
    "coco",
    "fcnet",
    "hpobench",
    "ioh",
    "live",
    "nanogpt",
    "nasbench201",
    "regmix",
    "steplaw",
    "synthetic",
    "taskset",
    "yahpo",
)


def family(name: str) -> Family:
    """Return a family by its name.

    Raises
    ------
    BenchmarkError
        If there is none of that name.
    """
    if name not in FAMILIES:
        raise BenchmarkError(f"unknown family of tasks {name!r}." + nearest(name, FAMILIES))
    found = import_module(f"maquette.bench.tasks.{name}").FAMILY
    if not isinstance(found, Family):
        raise BenchmarkError(f"maquette.bench.tasks.{name}.FAMILY is not a Family")
    return found


def names() -> tuple[str, ...]:
    """Return the names of all tasks, ``"family/task"``; no data are read."""
    return tuple(name for f in FAMILIES for name in family(f).names)


@lru_cache(maxsize=16)
def load(name: str) -> Task:
    """Return a task by its name; its data are read and checked.

    The last few tasks are kept in memory.

    Raises
    ------
    BenchmarkError
        If there is no such task, its data are missing, truncated or changed, or a package that it
        needs is not installed.
    """
    first, _, second = name.partition("/")
    found = family(first)
    if second not in found.tasks:
        raise BenchmarkError(f"unknown task {name!r}." + nearest(name, found.names))
    return found.load(second)
