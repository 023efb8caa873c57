"""Instances: what a config is measured on (seeds, data sets, environments, prompts).

The tuning set is what searchers see; the test set is kept back for the final judgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from maquette.errors import StudyError

Instance = str | int | float | bool


@final
@dataclass(frozen=True)
class Instances:
    """Tuning and test instances, disjoint.

    Parameters
    ----------
    tune
        Instances that every trial is measured on.
    test
        Instances that no searcher or scheduler ever sees.

    Raises
    ------
    StudyError
        If `tune` is empty, or an instance stands twice or in both sets.
    """

    tune: tuple[Instance, ...]
    test: tuple[Instance, ...] = ()

    def __init__(self, tune: Iterable[Instance], test: Iterable[Instance] = ()) -> None:
        object.__setattr__(self, "tune", tuple(tune))
        object.__setattr__(self, "test", tuple(test))
        problems = [] if self.tune else ["instances: tune is empty"]
        bad = [i for i in self.tune + self.test if not isinstance(i, str | int | float | bool)]
        problems += [f"instance {i!r} is not a string or a number" for i in bad]
        if not bad:
            both = sorted(map(repr, set(self.tune) & set(self.test)))
            if both:
                problems.append(f"in both tune and test: {', '.join(both)}")
            for name, group in (("tune", self.tune), ("test", self.test)):
                if len(set(group)) < len(group):
                    problems.append(f"instances: {name} holds an instance twice")
        if problems:
            raise StudyError(problems)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; `from_json` reads it back."""
        return {"tune": list(self.tune), "test": list(self.test)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Instances:
        """Read what `to_json` wrote."""
        return cls(data["tune"], data.get("test", ()))
