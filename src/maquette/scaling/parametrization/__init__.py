"""How initialisation, learning rate, weight decay and epsilon of each parameter role follow scale.

Pure tables and arithmetic: one file a rule, with the paper's exponents. `maquette.nn` applies them
to a model.
"""

from maquette.scaling.parametrization.multipliers import Multipliers, multipliers
from maquette.scaling.parametrization.rule import ROLES, Exponents, Role, Rule
from maquette.scaling.parametrization.rules import RULES
from maquette.scaling.parametrization.sde import Noise, noise

__all__ = [
    "ROLES",
    "RULES",
    "Exponents",
    "Multipliers",
    "Noise",
    "Role",
    "Rule",
    "multipliers",
    "noise",
]
