"""Maquette finds the hyperparameters of a large training run from small ones."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from maquette._version import __version__
from maquette.errors import MaquetteError

if TYPE_CHECKING:
    from maquette import executor, nn, scaling, schedule, search
    from maquette.checkpoint import Checkpoints
    from maquette.executor.script import current_trial
    from maquette.instances import Instances
    from maquette.objective import Objective
    from maquette.scale import Scale
    from maquette.scaling.watch import Watch
    from maquette.space import Choice, Float, Int, Space
    from maquette.study import (
        Best,
        Budget,
        Front,
        Importance,
        Interrupted,
        Study,
        maximize,
        minimize,
    )
    from maquette.study.warm import WarmStart
    from maquette.trial import Decision, State, Trial

# Public names and where they live. They are imported at first use, so that `import maquette`
# loads neither numpy nor anything heavier.
_WHERE = {
    "Best": "study",
    "Budget": "study",
    "Checkpoints": "checkpoint",
    "Choice": "space",
    "Decision": "trial",
    "Float": "space",
    "Front": "study",
    "Importance": "study",
    "Instances": "instances",
    "Int": "space",
    "Interrupted": "study",
    "Objective": "objective",
    "Scale": "scale",
    "Space": "space",
    "State": "trial",
    "Study": "study",
    "Trial": "trial",
    "WarmStart": "study.warm",
    "Watch": "scaling.watch",
    "current_trial": "executor.script",
    "maximize": "study",
    "minimize": "study",
}
_MODULES = ("executor", "nn", "scaling", "schedule", "search")

__all__ = [
    "Best",
    "Budget",
    "Checkpoints",
    "Choice",
    "Decision",
    "Float",
    "Front",
    "Importance",
    "Instances",
    "Int",
    "Interrupted",
    "MaquetteError",
    "Objective",
    "Scale",
    "Space",
    "State",
    "Study",
    "Trial",
    "WarmStart",
    "Watch",
    "__version__",
    "current_trial",
    "executor",
    "maximize",
    "minimize",
    "nn",
    "scaling",
    "schedule",
    "search",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"maquette.{_WHERE[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"maquette.{name}")
    else:
        raise AttributeError(f"module 'maquette' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
