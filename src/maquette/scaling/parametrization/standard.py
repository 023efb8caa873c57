"""Standard parametrization: nothing is scaled. The baseline.

The model keeps the initialisation it was built with, usually of variance 1 / fan_in, and one
learning rate serves every width and depth.
"""

from maquette.scaling.parametrization.rule import ROLES, Exponents, Rule

STANDARD = Rule(
    name="sp",
    summary="settings copied unchanged",
    width={role: Exponents(init=None, lr=0, eps=0) for role in ROLES},
    alpha=None,
    references=(),
)
