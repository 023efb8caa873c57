"""How the best settings move with scale, and what to use at a scale that was never tried."""

from maquette.scaling.drift import fit
from maquette.scaling.literature import Statement, literature, recognise
from maquette.scaling.model import DriftModel
from maquette.scaling.recipe import Estimate, Recipe
from maquette.scaling.verdict import Finding, Verdict

__all__ = [
    "DriftModel",
    "Estimate",
    "Finding",
    "Recipe",
    "Statement",
    "Verdict",
    "fit",
    "literature",
    "recognise",
]
