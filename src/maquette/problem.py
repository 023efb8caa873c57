"""Problem: what a study asks, and what a history is read with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from maquette.fidelity import Duration
from maquette.instances import Instances
from maquette.objective import Objective
from maquette.past import Past
from maquette.scale import Scale
from maquette.space import Space
from maquette.trial import Config


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """What a study asks: space, objective, durations, scale, instances and seed.

    `past` holds what earlier studies of the same kind measured.
    """

    space: Space
    objective: Objective
    duration: Duration = field(default_factory=Duration)
    scale: Scale | None = None
    instances: Instances | None = None
    seed: int = 0
    domain: Space | None = None
    past: tuple[Past, ...] = ()

    @property
    def evidence(self) -> Space:
        """The space that trials are encoded in: it holds every version's configs."""
        return self.space if self.domain is None else self.domain

    def encode(self, configs: Sequence[Config]) -> tuple[np.ndarray, np.ndarray]:
        """Encode n configs in the evidence's space: rows and activity masks, (n, dimensions).

        Parameters that the space in force has no more stand at their defaults.
        """
        domain = self.evidence
        if domain is not self.space:
            configs = [domain.fill(config) for config in configs]
        return domain.encode_many(configs)
