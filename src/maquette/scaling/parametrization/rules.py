"""The rules by name."""

from collections.abc import Mapping
from types import MappingProxyType

from maquette.scaling.parametrization.everett import EVERETT
from maquette.scaling.parametrization.mup import MUP
from maquette.scaling.parametrization.rule import Rule
from maquette.scaling.parametrization.standard import STANDARD

RULES: Mapping[str, Rule] = MappingProxyType(
    {"auto": EVERETT, "everett": EVERETT, "mup": MUP, "sp": STANDARD}
)
