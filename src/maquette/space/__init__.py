"""The search space: what may vary, and the map between configs and rows of numbers.

`Float`, `Int` and `Choice` declare; `Space` checks, samples, encodes, decodes and compares.
"""

from maquette.space.parameter import Choice as Choice
from maquette.space.parameter import Condition as Condition
from maquette.space.parameter import Config as Config
from maquette.space.parameter import Float as Float
from maquette.space.parameter import Int as Int
from maquette.space.parameter import Parameter as Parameter
from maquette.space.parameter import Scalar as Scalar
from maquette.space.space import Space as Space
