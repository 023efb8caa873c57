"""A plan's factors as other trainers' overrides of parameter groups, by pattern of the name.

Forms, with what they can carry:

- ``torchtitan``: `ParamGroupConfig` with a regular expression, ``optimizer_name`` and
  ``optimizer_kwargs``, which inherit nothing (pull request 3269, which took the multipliers of 2859
  away): Adam, AdamW and Muon, all settings; it needs ``lr``;
- ``nemo``: the YAML of NeMo Automodel's ``param_group_overrides``, with ``lr_mult`` and
  ``wd_mult``, first match wins (pull request 3046);
- ``megatron``: Megatron-LM's mapping of `ParamKey` (shell patterns) to `ParamGroupOverride`, with
  ``max_lr``, ``min_lr``, ``wd_mult`` and ``eps``; it needs ``lr``. Megatron refuses overrides of
  one parameter that disagree, so these replace the standard ones and are not added to them.

The initial values that `prepare` multiplies are in none of them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, get_args

from maquette.errors import PlanError, nearest
from maquette.nn.layers import starred

if TYPE_CHECKING:
    from maquette.nn.plan import ParameterPlan, Plan

Form = Literal["torchtitan", "nemo", "megatron"]
EPS = {"muon": 1e-7}  # torch's own default; 1e-8 elsewhere
_TITAN = {"adam": "Adam", "adamw": "AdamW", "muon": "Muon"}
_DECAYED = ("embedding", "hidden", "readout", "tied", "router")


def exported(plan: Plan, form: Form, lr: float | None = None, weight_decay: float = 0.0) -> str:
    """Return the overrides as text to paste.

    Parameters
    ----------
    plan
        From `plan`.
    form
        ``torchtitan``, ``nemo`` or ``megatron``.
    lr, weight_decay
        As tuned at the base. torchtitan and Megatron hold rates, not factors: they need ``lr``.

    Raises
    ------
    PlanError
        The form is not known, lacks ``lr``, or does not have the plan's optimizer.
    """
    if form not in get_args(Form):
        raise PlanError(f"no form {form!r}.{nearest(form, get_args(Form))}")
    if form != "nemo" and lr is None:
        raise PlanError(f"{form}'s groups hold learning rates", hint="pass lr=...")
    head = [f"# rule {plan.rule}, {plan.optimizer}; factors on the base's lr and weight decay"]
    if any(p.init != 1 for p in plan.parameters.values()):
        head.append("# initial values are multiplied besides: maquette.nn.prepare(model, plan)")
    groups = _groups(plan)
    if form == "megatron":
        return "\n".join([*head, *_megatron(groups, plan, float(lr or 0.0))])
    if form == "torchtitan":
        return "\n".join([*head, *_torchtitan(plan, float(lr or 0.0), weight_decay)])
    if any(p.eps != 1 for p in plan.parameters.values()) and "eps" in plan.settings:
        head.append("# this form has no place for epsilon: keep it well below the gradients' size")
    return "\n".join([*head, *_nemo(groups, plan)])


_Groups = Mapping[tuple[float, float, float], list["ParameterPlan"]]


def _groups(
    plan: Plan, optimizer: str | None = None
) -> dict[tuple[float, float, float], list[ParameterPlan]]:
    """Parameters, of one optimizer or all, by factors of rate, weight decay and epsilon."""
    groups: dict[tuple[float, float, float], list[ParameterPlan]] = {}
    for p in plan.parameters.values():
        if optimizer not in (None, p.optimizer):
            continue
        decay = p.weight_decay if p.role in _DECAYED else 0.0
        groups.setdefault((p.lr, decay, p.eps), []).append(p)
    return groups


def _expression(members: list[ParameterPlan]) -> str:
    """A regular expression of the whole name; numbers of layers stand for any number."""
    shapes = dict.fromkeys(starred(p.name) for p in members)
    parts = [re.escape(s).replace(r"\*", r"\d+") for s in shapes]
    return f"^(?:{'|'.join(parts)})$"


def _checked(groups: _Groups, plan: Plan) -> list[tuple[str, tuple[float, float, float]]]:
    """Expressions that match their own parameters alone; exact names where layers differ."""
    out = []
    for key, members in groups.items():
        expression, own = _expression(members), {p.name for p in members}
        if any(re.search(expression, n) and n not in own for n in plan.parameters):
            expression = f"^(?:{'|'.join(re.escape(p.name) for p in members)})$"
        out.append((expression, key))
    return out


def _torchtitan(plan: Plan, rate: float, weight_decay: float) -> list[str]:
    used = dict.fromkeys(p.optimizer for p in plan.parameters.values())
    strange = [o for o in used if o not in _TITAN]
    if strange:
        raise PlanError(
            f"torchtitan has {', '.join(_TITAN.values())}, not {', '.join(strange)}",
            hint="use plan.to_json() and maquette.nn.param_groups in an optimizers container",
        )
    lines = ["param_groups = ["]
    for optimizer in used:
        groups = _groups(plan, optimizer)
        for expression, (lr, decay, eps) in _checked(groups, plan):
            values = [f'"lr": {rate * lr:.6g}', f'"weight_decay": {weight_decay * decay:.6g}']
            values.append(f'"eps": {EPS.get(optimizer, 1e-8) * eps:.6g}')
            if optimizer != "muon":
                values.append('"betas": (0.9, 0.95)')
            lines += [
                "    ParamGroupConfig(",
                f'        pattern=r"{expression}",',
                f'        optimizer_name="{_TITAN[optimizer]}",',
                f"        optimizer_kwargs={{{', '.join(values)}}},",
                "    ),",
            ]
    return [*lines, "]"]


def _nemo(groups: _Groups, plan: Plan) -> list[str]:
    lines = ["param_group_overrides:"]
    for expression, (lr, decay, _) in _checked(groups, plan):
        lines += [
            f"  - pattern: '{expression}'",
            f"    lr_mult: {lr:.6g}",
            f"    wd_mult: {decay:.6g}",
        ]
    return lines


def _megatron(groups: _Groups, plan: Plan, rate: float) -> list[str]:
    lines = ["config_overrides = {"]
    names = {p.name: key for key, members in groups.items() for p in members}
    for key, members in groups.items():
        globs = tuple(dict.fromkeys(starred(p.name) for p in members))
        matched = {n for g in globs for n in fnmatch.filter(names, g)}
        if any(names[n] != key for n in matched):
            globs = tuple(p.name for p in members)
        lr, decay, eps = key
        values = {"max_lr": rate * lr, "min_lr": 0.0, "wd_mult": decay}
        if "eps" in plan.settings:
            values["eps"] = EPS.get(plan.optimizer, 1e-8) * eps
        text = ", ".join(f'"{k}": {v:.6g}' for k, v in values.items())
        shown = ", ".join(f'"{g}"' for g in globs)
        lines.append(f"    ParamKey(name=({shown},)): {{{text}}},")
    return [*lines, "}"]
