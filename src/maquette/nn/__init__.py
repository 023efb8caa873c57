"""The torch side: how the settings of each of a model's parameters follow its scale.

plan = mq.nn.plan(build, base=dict(width=64, depth=2), target=dict(width=1024, depth=16))
model = build(width=1024, depth=16)
mq.nn.prepare(model, plan)
optimizer = torch.optim.AdamW(mq.nn.param_groups(model, plan, lr=0.01, weight_decay=0.1))
"""

from maquette.nn import unit
from maquette.nn.checks import Check, Fault, Slope, check
from maquette.nn.groups import Options, param_groups, prepare
from maquette.nn.modules import module_space, with_modules
from maquette.nn.plan import ParameterPlan, Plan, plan
from maquette.nn.ratios import keep_ratios
from maquette.scaling.parametrization import Role, Table

__all__ = [
    "Check",
    "Fault",
    "Options",
    "ParameterPlan",
    "Plan",
    "Role",
    "Slope",
    "Table",
    "check",
    "keep_ratios",
    "module_space",
    "param_groups",
    "plan",
    "prepare",
    "unit",
    "with_modules",
]
