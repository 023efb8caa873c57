"""Comparisons: tasks x optimizers x seeds, with equal budgets, resumable."""

from __future__ import annotations

from maquette.bench.compare.optimizers import Optimizer
from maquette.bench.compare.plan import Plan
from maquette.bench.compare.runner import Summary, run
from maquette.bench.compare.suite import Suite

__all__ = ["Optimizer", "Plan", "Suite", "Summary", "run"]
