"""How the best settings move with scale, and what to use at a scale that was never tried."""

from maquette.scaling import parametrization
from maquette.scaling.belief import prior_belief
from maquette.scaling.by_role import by_role
from maquette.scaling.design import Design, Proxy, next_runs
from maquette.scaling.drift import fit
from maquette.scaling.from_laws import PriorRecipe, prior_recipe
from maquette.scaling.literature import Statement, literature, recognise
from maquette.scaling.model import DriftModel
from maquette.scaling.recipe import Estimate, Recipe
from maquette.scaling.to_target import AtTarget, to_target
from maquette.scaling.verdict import Finding, Verdict

__all__ = [
    "AtTarget",
    "Design",
    "DriftModel",
    "Estimate",
    "Finding",
    "PriorRecipe",
    "Proxy",
    "Recipe",
    "Statement",
    "Verdict",
    "by_role",
    "fit",
    "literature",
    "next_runs",
    "parametrization",
    "prior_belief",
    "prior_recipe",
    "recognise",
    "to_target",
]
