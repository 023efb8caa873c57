"""Problem: what a study asks, and what a history is read with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from maquette.fidelity import Duration
from maquette.instances import Instances
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.space import Space


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """What a study asks: space, objective, durations, scale, instances and seed."""

    space: Space
    objective: Objective
    duration: Duration = field(default_factory=Duration)
    scale: Scale | None = None
    instances: Instances | None = None
    seed: int = 0
    domain: Space | None = None

    @property
    def evidence(self) -> Space:
        """The space that trials are encoded in: it holds every version's configs."""
        return self.space if self.domain is None else self.domain
