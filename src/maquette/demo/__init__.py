"""`maquette demo`: the main job on this machine, from small runs to a checked recipe.

A character transformer is tuned on real text at small scales; the drift of its best settings is
fitted; the recipe for a larger run is predicted, then trained, and compared with what was
predicted and with settings copied unchanged.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maquette.demo import design as designs
    from maquette.demo.pipeline import DemoJob, prepare, run
    from maquette.demo.result import DemoResult

__all__ = ["DemoJob", "DemoResult", "designs", "prepare", "run"]

# Imported at first use: the pipeline loads numpy, the store and the models.
_WHERE = {"DemoJob": "pipeline", "prepare": "pipeline", "run": "pipeline", "DemoResult": "result"}


def __getattr__(name: str) -> Any:
    if name == "designs":
        return importlib.import_module("maquette.demo.design")
    if name in _WHERE:
        return getattr(importlib.import_module(f"maquette.demo.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'maquette.demo' has no attribute {name!r}")
