"""A recipe as the flags and groups of other people's trainers: Megatron-LM and torchtitan.

Megatron takes flags, and by role a mapping of patterns to overrides; torchtitan a list of groups,
by pattern of the parameter's name, first match wins, that inherit nothing from one another. Both
hold rates, not factors. Patterns are those of the models that come with each: edit them for others.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

MEGATRON: Mapping[str, str] = MappingProxyType(
    {
        "lr": "lr",
        "batch": "global-batch-size",
        "weight_decay": "weight-decay",
        "beta1": "adam-beta1",
        "beta2": "adam-beta2",
        "eps": "adam-eps",
        "clip": "clip-grad",
        "warmup": "lr-warmup-fraction",
        "warmup_steps": "lr-warmup-iters",
        "schedule": "lr-decay-style",
        "momentum": "sgd-momentum",
        "optimizer": "optimizer",
    }
)
MEGATRON_SCHEDULES = MappingProxyType(
    {s.lower(): s for s in ("constant", "linear", "cosine", "inverse-square-root", "WSD")}
)
MEGATRON_OPTIMIZERS = MappingProxyType({"adamw": "adam", "adam": "adam", "sgd": "sgd"})
TITAN: Mapping[str, str] = MappingProxyType(
    {
        "batch": "training.global_batch_size",
        "clip": "training.max_norm",
        "warmup_steps": "lr_scheduler.warmup_steps",
        "schedule": "lr_scheduler.decay_type",
    }
)
TITAN_SCHEDULES = ("linear", "sqrt", "cosine")
TITAN_OPTIMIZERS = MappingProxyType({"adamw": "AdamW", "adam": "Adam", "muon": "Muon"})
# Names of parameters by role: of Megatron's GPTModel, and of torchtitan's decoders.
GLOBS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "embedding": ("*embedding*",),
        "vector": ("*norm*", "*.bias"),
        "readout": ("*output_layer*",),
    }
)
PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        "embedding": r"^tok_embeddings\.",
        "vector": r"norm|\.bias$",
        "readout": r"^(output|lm_head)\.",
        "hidden": r".*",
    }
)

Roles = Mapping[str, Mapping[str, Any]]


def megatron(
    named: Mapping[str, Any], rest: Mapping[str, Any], roles: Roles, given: Mapping[str, str]
) -> list[str]:
    """Return Megatron-LM's flags, and its overrides by role.

    Parameters
    ----------
    named
        Settings by their customary names, those of hidden matrices where roles differ.
    rest
        Settings that are none of these.
    roles
        Settings by customary name, by role; empty: all parameters alike.
    given
        Customary name to the one that the recipe has.
    """
    flags, left = [], dict(rest)
    for key, value in named.items():
        written = value
        if key == "optimizer":
            written = MEGATRON_OPTIMIZERS.get(str(value).lower())
        elif key == "schedule":
            written = MEGATRON_SCHEDULES.get(str(value).lower())
        if written is None:
            left[given[key]] = value
        else:
            flags += [f"--{MEGATRON[key]}", str(written)]
    lines = [shlex.join(flags)]
    lines += [f"# {k}={v!r}: no flag of Megatron's" for k, v in left.items()]
    if not roles:
        return lines
    lines += ["# by role (megatron.core.optimizer: ParamKey to ParamGroupOverride)"]
    lines += ["config_overrides = {"]
    hidden = roles.get("hidden", {})
    for role, globs in GLOBS.items():
        if role not in roles:
            continue
        own = roles[role]
        values: dict[str, float] = {}
        if "lr" in own:
            values |= {"max_lr": own["lr"], "min_lr": 0.0}
        if hidden.get("weight_decay"):
            values["wd_mult"] = float(f"{own['weight_decay'] / hidden['weight_decay']:.4g}")
        if "eps" in own:
            values["eps"] = own["eps"]
        lines.append(f"    ParamKey(name={globs!r}): {values!r},")
    return [*lines, "}"]


def torchtitan(
    named: Mapping[str, Any], rest: Mapping[str, Any], roles: Roles, given: Mapping[str, str]
) -> list[str]:
    """Return torchtitan's groups of parameters and the flags of what they do not hold.

    Parameters
    ----------
    named, rest, roles, given
        As `megatron` takes them.
    """
    left, flags = dict(rest), []
    for key, there in TITAN.items():
        if key in named and (key != "schedule" or named[key] in TITAN_SCHEDULES):
            flags += [f"--{there}", str(named[key])]
        elif key in named:
            left[given[key]] = named[key]
    name = TITAN_OPTIMIZERS.get(str(named.get("optimizer", "adamw")).lower())
    takes = ("lr", "weight_decay", "eps", *(("momentum",) if name == "Muon" else ()))
    spoken = {*TITAN, *takes, "optimizer", *(() if name == "Muon" else ("beta1", "beta2"))}
    left |= {given[k]: v for k, v in named.items() if k not in spoken}
    if name is None:
        left[given["optimizer"]] = named["optimizer"]
    lines = [f"# flags: {shlex.join(flags)}"] if flags else []
    lines += [f"# {k}={v!r}: not in these groups" for k, v in left.items()]
    lines += [
        "from torchtitan.components.optimizer import OptimizersContainer, ParamGroupConfig",
        "",
        "optimizer = OptimizersContainer.Config(",
        "    param_groups=[",
    ]
    for role, pattern in PATTERNS.items():
        if role in roles or role == "hidden":
            values = {**named, **roles.get(role, {})}
            own = {k: values[k] for k in takes if k in values}
            if name != "Muon" and {"beta1", "beta2"} & set(values):
                own["betas"] = (values.get("beta1", 0.9), values.get("beta2", 0.95))
            lines += [
                "        ParamGroupConfig(",
                f'            pattern=r"{pattern}",',
                f'            optimizer_name="{name or "AdamW"}",',
                f"            optimizer_kwargs={own!r},",
                "        ),",
            ]
    return [*lines, "    ]", ")"]
