"""Parameter groups and initial values of a model, by its plan."""

from __future__ import annotations

import math
import warnings
from collections.abc import Container
from typing import Any, TypedDict, Unpack

import torch
from torch import nn

from maquette.errors import PlanError, ScaleError, nearest
from maquette.nn.export import EPS
from maquette.nn.plan import ParameterPlan, Plan
from maquette.nn.run import run_factors
from maquette.number import as_number
from maquette.scaling.parametrization import Meaning, converted

_WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_PREPARED = "_maquette_prepared"
SLOW = 0.98  # of beta1: beyond it the gradient's average lags by 50 steps and more
_SLOW = (
    "the batch rule asks for beta1 = {:.4g}, an average over {:.0f} steps: the share of the run "
    "that it is at the base. Where that is much, it costs loss; leave tokens out of the plan's "
    'base, or use rule="everett+completep+sde-batch"'
)
_MATRICES = ("embedding", "hidden", "readout", "tied", "router")


class Options(TypedDict, total=False):
    """Further settings of AdamW, at the base's scale."""

    betas: tuple[float, float]
    eps: float
    decay_vectors: bool
    decay: Meaning
    schedule_mean: float
    part: str


def param_groups(
    model: nn.Module,
    plan: Plan,
    lr: float,
    weight_decay: float = 0.0,
    batch: float | None = None,
    tokens: float | None = None,
    **options: Unpack[Options],
) -> list[dict[str, Any]]:
    """Return groups for the plan's optimizer, from the settings that were tuned at the base.

    Parameters
    ----------
    model
        At the plan's target scale; it may be compiled, wrapped or a copy.
    plan
        From `plan`.
    lr, weight_decay
        As at the base. ``weight_decay`` is that of `torch.optim.AdamW`: a step shrinks by
        ``lr * weight_decay``, and that product of each parameter stays as at the base.
    batch, tokens
        Of this run; the target's where left out. They act only where the plan's base names them,
        by the batch rule of the plan's table.
    options
        ``betas`` (0.9, 0.95), ``eps`` (1e-8; 1e-7 for Muon), and ``decay_vectors`` (false): whether
        norm gains, biases and scalars get weight decay. ``decay`` ("rate"), ``schedule_mean`` (1):
        what ``weight_decay`` means, as in `maquette.scaling.parametrization.converted`. ``part``:
        with optimizers such as Muon, which step hidden matrices alone, whose groups to return.

    Returns
    -------
    list
        Dictionaries with ``name``, ``params``, ``lr``, ``weight_decay`` and, where the optimizer
        takes them, ``eps`` and ``betas``; parameters of equal settings share one. Frozen parameters
        are left out.

    Raises
    ------
    PlanError
        The model's names or shapes are not those of the plan, or a setting is no number.
    """
    _check_numbers(lr=lr, weight_decay=weight_decay)
    weight_decay = _decay(weight_decay, lr, options)
    unknown = [k for k in options if k not in Options.__annotations__]
    if unknown:
        raise PlanError([f"no option {k!r}.{nearest(k, Options.__annotations__)}" for k in unknown])
    everything = _match(model, plan)
    part = _part(plan, options)
    matched = [(q, p) for q, p in everything if p.optimizer == part]
    if any(p.init != 1 for p in plan.parameters.values()) and not _prepared(model):
        warnings.warn(
            "the plan multiplies initial values, and maquette.nn.prepare(model, plan) was not "
            "called on this model; call it before loading a checkpoint, too",
            stacklevel=2,
        )
    n = run_factors(plan, batch, tokens)
    betas = n.betas(_pair(options.get("betas", (0.9, 0.95))))
    if "betas" in plan.settings and n.beta1 != 1 and betas[0] > SLOW:
        warnings.warn(_SLOW.format(betas[0], 1 / (1 - betas[0])), stacklevel=2)
    eps, decay_vectors = options.get("eps", EPS.get(part, 1e-8)), options.get("decay_vectors")
    groups: dict[tuple[float, float, float], dict[str, Any]] = {}
    for parameter, p in matched:
        if not parameter.requires_grad:
            continue
        decays = decay_vectors or p.role in _MATRICES
        settings = (
            lr * n.lr * p.lr,
            weight_decay * n.weight_decay * p.weight_decay if decays else 0.0,
            eps * n.eps * p.eps,
        )
        group = groups.setdefault(settings, {"name": "", "params": []})
        label = f"{p.role} at branch ends" if p.fold != 1 else p.role
        if label not in group["name"].split(", "):
            group["name"] = ", ".join(filter(None, (group["name"], label)))
        group["params"].append(parameter)
    taken = plan.settings if part == plan.optimizer else ("eps", "betas")
    out = []
    for (rate, decay, epsilon), group in groups.items():
        more: dict[str, Any] = {"eps": epsilon, "betas": betas}
        chosen = {"lr": rate, "weight_decay": decay, **{k: more[k] for k in taken}}
        out.append(group | chosen)
    return out


def _part(plan: Plan, options: Options) -> str:
    """The optimizer whose groups are wanted."""
    parts = list(dict.fromkeys(p.optimizer for p in plan.parameters.values()))
    part = options.get("part")
    if part is None and len(parts) == 1:
        return parts[0]
    if part not in parts:
        lines = "".join(f"\n    param_groups(model, plan, lr=..., part={p!r})" for p in parts)
        wrong = "" if part is None else f"{part!r} is none of them.{nearest(part, parts)} "
        raise PlanError(
            f"{wrong}{plan.optimizer} steps hidden matrices and another optimizer the rest",
            hint=f"make one optimizer for each of{lines}",
        )
    return part


def _decay(value: float, lr: float, options: Options) -> float:
    """Weight decay in the meaning that groups have."""
    meaning = options.get("decay", "rate")
    if meaning == "rate" or not value:
        return value
    try:
        return converted(value, lr, meaning, "rate", options.get("schedule_mean", 1.0))
    except ScaleError as error:
        raise PlanError(str(error)) from error


def _pair(betas: object) -> tuple[float, float]:
    values = [as_number(b) for b in betas] if isinstance(betas, list | tuple) else []
    if len(values) != 2 or any(b is None or not 0 <= b < 1 for b in values):
        raise PlanError(f"betas must be two numbers, 0 or more and below 1, not {betas!r}")
    first, second = (float(b) for b in values if b is not None)
    return first, second


def _check_numbers(**settings: float) -> None:
    problems = []
    for name, value in settings.items():
        number = as_number(value)
        if number is None or not 0 <= number < math.inf:
            problems.append(f"{name} must be a number, zero or more, not {value!r}")
    if problems:
        raise PlanError(problems)


def prepare(model: nn.Module, plan: Plan, init_scale: float = 1.0) -> nn.Module:
    """Multiply a freshly initialised model's values by the plan's factors, in place.

    Parameters
    ----------
    model
        At the plan's target scale, as the builder returns it, not on the meta device.
    plan
        From `plan`.
    init_scale
        Multiplies the hidden matrices besides: a hyperparameter that keeps its meaning with scale.

    Returns
    -------
    nn.Module
        The same model.

    Raises
    ------
    PlanError
        The model was prepared before, is on the meta device, or is not the plan's.
    """
    if not init_scale > 0:
        raise PlanError(f"init_scale must be positive, not {init_scale}")
    matched = _match(model, plan)
    if _prepared(model):
        raise PlanError(
            "this model was prepared before; a second time would multiply its values twice",
            hint="build it anew",
        )
    if any(parameter.is_meta for parameter, _ in matched):
        raise PlanError(
            "the model is on the meta device and has no values yet",
            hint="call model.to_empty(device=...) and initialise it first",
        )
    for note in plan.notes:
        warnings.warn(note, stacklevel=2)
    with torch.no_grad():
        for parameter, p in matched:
            factor = p.init * (init_scale if p.role == "hidden" else 1.0)
            if factor != 1:
                parameter.mul_(factor)
    setattr(_unwrapped(model), _PREPARED, True)
    return model


def _prepared(model: nn.Module) -> bool:
    return bool(getattr(_unwrapped(model), _PREPARED, False))


def _unwrapped(model: nn.Module) -> nn.Module:
    """The module inside `torch.compile` and data-parallel wrappers."""
    children = dict(model.named_children())
    if len(children) == 1 and not list(model.parameters(recurse=False)):
        name, child = next(iter(children.items()))
        if name in _WRAPPERS or (name == "module" and "Parallel" in type(model).__name__):
            return _unwrapped(child)
    return model


def _match(model: nn.Module, plan: Plan) -> list[tuple[nn.Parameter, ParameterPlan]]:
    """Each parameter with its plan; every name and shape that does not fit is reported."""
    if not isinstance(model, nn.Module) or not isinstance(plan, Plan):
        raise PlanError(
            "a model and its plan are wanted, in this order, not "
            f"{type(model).__name__} and {type(plan).__name__}",
            hint="model = build(width=1024); plan = maquette.nn.plan(build, base, target)",
        )
    known = {alias: p for p in plan.parameters.values() for alias in (p.name, *p.aliases)}
    matched, problems = [], []
    for name, parameter in model.named_parameters():
        p = known.get(_plain(name, known))
        if p is None:
            problems.append(f"{name} is not in the plan.{nearest(name, known)}")
        elif tuple(parameter.shape) != p.shape:
            problems.append(f"{name} is {tuple(parameter.shape)}; the plan's target has {p.shape}")
        else:
            matched.append((parameter, p))
    present = {p.name for _, p in matched}
    absent = [n for n in plan.parameters if n not in present]
    if absent and not problems:
        problems.append(f"the model lacks {', '.join(absent[:6])} of the plan")
    if problems:
        scale = ", ".join(f"{k}={v:g}" for k, v in plan.target.items())
        more = [f"... and {len(problems) - 12} more"] if len(problems) > 12 else []
        raise PlanError(problems[:12] + more, hint=f"the plan is for the model built at {scale}")
    return matched


def _plain(name: str, known: Container[str]) -> str:
    """A parameter's name without what `torch.compile` and data-parallel wrappers put before it."""
    plain = ".".join(part for part in name.split(".") if part not in _WRAPPERS)
    while plain not in known and plain.startswith("module."):
        plain = plain.removeprefix("module.")
    return plain
