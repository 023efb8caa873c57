"""What a comparison is to hold, kept beside its results so that it can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from maquette.bench.compare.cell import Cell
from maquette.bench.compare.optimizers import Optimizer, read
from maquette.bench.compare.suite import Suite, from_table
from maquette.errors import BenchmarkError
from maquette.files import write_whole

FILE = "run.json"
_FORMAT = 1


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """A suite, optimizers, and seeds 0 to ``seeds - 1``."""

    suite: Suite
    optimizers: tuple[Optimizer, ...]
    seeds: int

    def cells(self) -> list[Cell]:
        """Return all cells, seed by seed: what is done at any time is a fair comparison."""
        return [
            Cell(task, optimizer, seed)
            for seed in range(self.seeds)
            for task in self.suite.tasks
            for optimizer in self.optimizers
        ]


def enter(folder: Path, plan: Plan) -> None:
    """Make a results folder for a plan, or check that it is one of the same suite.

    Optimizers and seeds may be added to a comparison; suite, budget and workers may not change.

    Raises
    ------
    BenchmarkError
        If the folder holds something else, or results of other settings; differences are named.
    """
    place = folder / FILE
    designs = [o.name for o in plan.optimizers if o.scheduler == "proxies"]
    if designs and not plan.suite.proxies:
        raise BenchmarkError(
            f"{', '.join(designs)}: proxies are designed where a suite says `proxies = true`, "
            f"and {plan.suite.name!r} does not",
            hint="`maquette bench list` shows the suites; steplaw is one",
        )
    if not place.exists():
        if folder.exists() and any(folder.iterdir()):
            raise BenchmarkError(
                f"{folder} is not empty and holds no {FILE}: it is not the folder of a comparison",
                hint="give --out a new folder",
            )
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(place, _text(plan))
        return
    old = reopen(folder)
    differ = _differences(old.suite.to_json(), plan.suite.to_json())
    if differ:
        raise BenchmarkError(
            [f"{folder} was made with other settings: {d}" for d in differ],
            hint="give --out another folder, or the settings that it was made with",
        )
    known = {o.name: o for o in (*old.optimizers, *plan.optimizers)}
    whole = Plan(old.suite, tuple(known.values()), max(old.seeds, plan.seeds))
    write_whole(place, _text(whole))


def reopen(folder: Path) -> Plan:
    """Return the plan of a results folder.

    Raises
    ------
    BenchmarkError
        If it is no such folder, or its plan cannot be read.
    """
    place = folder / FILE
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BenchmarkError(
            f"{folder} is not the folder of a comparison: it holds no {FILE}",
            hint="maquette bench run --suite SUITE --optimizers NAME,... --out DIR makes one",
        ) from None
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"{place} cannot be read: {error}") from None
    if not isinstance(found, Mapping) or found.get("format") != _FORMAT:
        raise BenchmarkError(f"{place} is of another version of Maquette")
    table = dict(found["suite"])
    suite = from_table(table.pop("name"), table)
    return Plan(suite, read(found["optimizers"]), found["seeds"])


def _text(plan: Plan) -> str:
    document = {
        "format": _FORMAT,
        "suite": plan.suite.to_json(),
        "optimizers": [o.name for o in plan.optimizers],
        "seeds": plan.seeds,
    }
    return json.dumps(document, indent=1) + "\n"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Sequence[str]:
    return [
        f"{key} is {old[key]!r} there, {new[key]!r} here"
        for key in old
        if key != "about" and old[key] != new[key]
    ]
