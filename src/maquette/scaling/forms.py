"""A recipe in the form that people paste: TOML, JSON, flags, Python, and those of trainers.

Settings with customary names (`maquette.scaling.customary`, betas, epsilon, warm-up,
clipping, schedule) take the name that they have there. What a form has no place for stands in a
comment, with its value: nothing is dropped, and nothing is made up. Where roles of parameters have
settings of their own, every form holds them: as tables, as flags with the role before a dot, as
groups of an optimizer.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Literal

from maquette.scaling.customary import SETTINGS
from maquette.scaling.trainers import Roles, megatron, torchtitan

Form = Literal["toml", "json", "args", "python", "hf", "torch", "megatron", "torchtitan"]

COUNTS = (*SETTINGS["batch"], *SETTINGS["warmup_steps"])
# Of transformers' TrainingArguments; warmup_steps takes a share of the steps since version 5.
HF: Mapping[str, str] = {
    "lr": "learning_rate",
    "weight_decay": "weight_decay",
    "beta1": "adam_beta1",
    "beta2": "adam_beta2",
    "eps": "adam_epsilon",
    "clip": "max_grad_norm",
    "warmup": "warmup_steps",
    "warmup_steps": "warmup_steps",
    "schedule": "lr_scheduler_type",
}
HF_SCHEDULES = ("linear", "cosine", "constant", "constant_with_warmup", "polynomial")
# Classes of torch.optim and the settings that each takes.
TORCH: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "adamw": ("AdamW", ("lr", "betas", "eps", "weight_decay")),
    "adam": ("Adam", ("lr", "betas", "eps", "weight_decay")),
    "sgd": ("SGD", ("lr", "momentum", "weight_decay")),
    "muon": ("Muon", ("lr", "momentum", "eps", "weight_decay")),
    "adafactor": ("Adafactor", ("lr", "weight_decay")),
}
DIGITS = 4
WHOLE = 16  # from here on rounding moves a count by at most 3 %
# Whoever pastes groups must say which parameters are which: a guess by names, to be edited.
ROLE = """def role(name, parameter):  # edit for your model's names
    if parameter.ndim < 2:
        return "vector"
    if "embed" in name or "wte" in name or "wpe" in name:
        return "embedding"
    return "readout" if "head" in name or "output" in name else "hidden"
"""


def written(config: Mapping[str, Any], about: str, form: Form, roles: Roles | None = None) -> str:
    """Return settings in a form.

    Parameters
    ----------
    config
        Name to value.
    about
        What to say of them in a comment, lines; JSON and flags have no room for it.
    form
        Which one.
    roles
        Settings of embedding, hidden, readout and vector parameters, by the config's names.

    Raises
    ------
    KeyError
        If there is no such form.
    """
    writers: Mapping[str, Callable[[Mapping[str, Any], str, Roles], str]] = {
        "toml": to_toml,
        "json": to_json,
        "args": to_args,
        "python": to_python,
        "hf": to_hf,
        "torch": to_torch,
        "megatron": to_megatron,
        "torchtitan": to_torchtitan,
    }
    own = {role: _rounded(values) for role, values in (roles or {}).items()}
    return writers[form](_rounded(config), about, own)


def _rounded(config: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _plain(v, k.lower() in COUNTS) for k, v in config.items()}


def to_toml(config: Mapping[str, Any], about: str, roles: Roles) -> str:
    """Return a TOML table; TOML has no null, so that settings without a value are left out."""
    import tomlkit

    whole = {k: v for k, v in config.items() if v is not None}
    table = tomlkit.dumps(whole | ({"roles": roles} if roles else {})).rstrip()
    return "\n".join([*_comment(about), table])


def to_json(config: Mapping[str, Any], about: str, roles: Roles) -> str:
    """Return a JSON object."""
    return json.dumps(_whole(config, roles), indent=2)


def to_args(config: Mapping[str, Any], about: str, roles: Roles) -> str:
    """Return command-line flags, ``--lr 0.001 --fused true``, quoted for a shell."""
    flags = dict(config)
    flags |= {f"{role}.{k}": v for role, own in roles.items() for k, v in own.items()}
    return shlex.join(part for k, v in flags.items() for part in (f"--{k}", _argument(v)))


def to_python(config: Mapping[str, Any], about: str, roles: Roles) -> str:
    """Return a Python dictionary."""
    return "\n".join([*_comment(about), repr(_whole(config, roles))])


def to_hf(config: Mapping[str, Any], about: str, roles: Roles) -> str:
    """Return a call of transformers' ``TrainingArguments``."""
    named, rest = _recognised(config)
    named |= _recognised(roles.get("hidden", {}))[0]
    lines, left = ['    output_dir="out",'], dict(rest)
    for key, value in named.items():
        there = HF.get(key)
        if key == "optimizer" and str(value).lower() in ("adamw", "adafactor"):
            lines.append(f"    optim={ {'adamw': 'adamw_torch'}.get(str(value), str(value))!r},")
        elif there is None or (key == "schedule" and value not in HF_SCHEDULES):
            left[_given(config, key)] = value
        elif key == "warmup":
            lines.append(f"    {there}={value!r},  # a share; before transformers 5: warmup_ratio")
        else:
            lines.append(f"    {there}={value!r},")
    if "batch" in named:
        name = _given(config, "batch")
        lines.append(
            f"    # {name}={named['batch']!r}: per_device_train_batch_size x devices x "
            "gradient_accumulation_steps (x sequence length, if it counts tokens)"
        )
        del left[name]
    lines += [f"    # {k}={v!r}: no argument of the Trainer's" for k, v in left.items()]
    head = ["from transformers import TrainingArguments", ""]
    text = "\n".join([*_comment(about), *head, "args = TrainingArguments(", *lines, ")"])
    if not roles:
        return text
    groups = to_torch({k: v for k, v in config.items() if k not in rest}, "", roles)
    return f"{text}\n\n{groups}\n# Trainer(model, args, optimizers=(optimizer, None), ...)"


def to_torch(config: Mapping[str, Any], about: str, roles: Roles) -> str:
    """Return the making of a torch optimizer; a class torch does not have is refused in words."""
    named, rest = _recognised(config)
    optimizer = str(named.get("optimizer", "adamw")).lower()
    left = {_given(config, k): v for k, v in named.items() if k != "optimizer"} | rest
    if optimizer not in TORCH:
        return "\n".join(
            [
                *_comment(about),
                f"# torch.optim has no {optimizer!r}; the settings for yours:",
                repr(dict(config)),
            ]
        )
    name, takes = TORCH[optimizer]
    passed = _taken(named, takes)
    for k in passed:
        for part in ("beta1", "beta2") if k == "betas" else (k,):
            left.pop(_given(config, part), None)
    comments = [f"# {k} = {v!r}: not the optimizer's" for k, v in left.items()]
    head = [*_comment(about), "import torch", ""]
    body = ", ".join(f"{k}={v!r}" for k, v in passed.items())
    if not roles:
        call = f"optimizer = torch.optim.{name}(model.parameters(), {body})"
        return "\n".join([*head, call, *comments])
    groups = {r: _taken({**named, **_recognised(own)[0]}, takes) for r, own in roles.items()}
    lines = [f"    {r!r}: {values!r}," for r, values in groups.items()]
    making = [
        f"optimizer = torch.optim.{name}(",
        '    [{**settings, "params": [p for n, p in model.named_parameters() if role(n, p) == r]}',
        "     for r, settings in groups.items()],",
        f"    {body},",
        ")",
    ]
    return "\n".join([*head, ROLE, "", "groups = {", *lines, "}", *making, *comments])


def to_megatron(config: Mapping[str, Any], about: str, roles: Roles) -> str:
    """Return Megatron-LM's flags, and its overrides by role."""
    named, rest = _recognised(config)
    own = {role: _recognised(values)[0] for role, values in roles.items()}
    given = {key: _given(config, key) for key in named}
    named |= own.get("hidden", {})  # what no override names
    return "\n".join([*_comment(about), *megatron(named, rest, own, given)])


def to_torchtitan(config: Mapping[str, Any], about: str, roles: Roles) -> str:
    """Return torchtitan's groups of parameters."""
    named, rest = _recognised(config)
    own = {role: _recognised(values)[0] for role, values in roles.items()}
    given = {key: _given(config, key) for key in named}
    return "\n".join([*_comment(about), *torchtitan(named, rest, own, given)])


def _taken(named: Mapping[str, Any], takes: tuple[str, ...]) -> dict[str, Any]:
    """Return what an optimizer takes of settings with customary names."""
    values = dict(named)
    if {"beta1", "beta2"} & set(named):
        values["betas"] = (named.get("beta1", 0.9), named.get("beta2", 0.999))
    return {k: values[k] for k in takes if k in values}


def _whole(config: Mapping[str, Any], roles: Roles) -> dict[str, Any]:
    return {**config, **({"roles": {k: dict(v) for k, v in roles.items()}} if roles else {})}


def _recognised(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split settings into those with customary names, by the name they have here, and the rest."""
    named: dict[str, Any] = {}
    rest = dict(config)
    for key in SETTINGS:
        found = _given(config, key)
        if found:
            named[key] = rest.pop(found)
    return named, rest


def _given(config: Mapping[str, Any], key: str) -> str:
    """Return the name that a customary setting has in a config; empty if it has none."""
    return next((n for n in config if n.lower() in SETTINGS[key]), "")


def _comment(about: str) -> list[str]:
    return [f"# {line}".rstrip() for line in about.splitlines()]


def _argument(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: Any, count: bool) -> Any:
    """Return a value as a person would write it: floats with four significant digits."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and math.isfinite(value):
        rounded = float(f"{value:.{DIGITS}g}")
        # Programs read counts as int; a small fraction may be one of millions, so it stays.
        if count and not rounded.is_integer() and rounded >= WHOLE:
            return round(value)
        return int(rounded) if count and rounded.is_integer() else rounded
    return value
