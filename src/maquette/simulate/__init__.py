"""Simulated time: a virtual clock drives a study whose objective is replayed from a table."""

from __future__ import annotations

from maquette.simulate.clock import Clock, virtual_store
from maquette.simulate.forecast import Forecast, Plan
from maquette.simulate.plan import plan
from maquette.simulate.replay import End, Replay, stretch
from maquette.simulate.runner import Simulated, simulate

__all__ = [
    "Clock",
    "End",
    "Forecast",
    "Plan",
    "Replay",
    "Simulated",
    "plan",
    "simulate",
    "stretch",
    "virtual_store",
]
