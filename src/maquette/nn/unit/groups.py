"""Parameter groups of a unit-scaled model: learning rates of u-muP, for Adam and its like.

With eta the one learning rate, hidden matrices get eta / sqrt(fan_in), embeddings
eta / sqrt(width), the readout, gains and biases eta; inside the stack each is divided by sqrt(L)
besides. The settings do not change with the scale: those of a proxy are the target's.

References
----------
Blake et al. (2025). arXiv:2407.17465, table 2.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from maquette.errors import PlanError
from maquette.nn.unit.modules import Embedding, LayerNorm, Linear, Readout, RMSNorm, Stack


def param_groups(
    model: nn.Module,
    lr: float,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> list[dict[str, Any]]:
    """Return groups for `torch.optim.AdamW`, or an optimizer of the same settings.

    Parameters
    ----------
    model
        Of the modules of `maquette.nn.unit`, its blocks in a `Stack`. Nothing is kept on the
        parameters, so it may be a copy, compiled, sharded, or made on the meta device.
    lr
        About 1.
    weight_decay
        A step shrinks every matrix by ``lr * weight_decay``, whatever its own rate. The paper's
        independent decay is that product. Gains and biases are not decayed.
    betas, eps
        As the optimizer's. Gradients are of size 1, so eps needs no scaling.

    Raises
    ------
    PlanError
        Parameters of other modules, which are not unit-scaled.
    """
    if not lr > 0 or not weight_decay >= 0:
        raise PlanError(f"lr={lr!r} must be above 0, weight_decay={weight_decay!r} not below")
    depths = {name: len(m) for name, m in model.named_modules() if isinstance(m, Stack)}
    groups: dict[tuple[float, bool], dict[str, Any]] = {}
    strange, seen = [], set()
    for name, module in model.named_modules():
        for part, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen or not parameter.requires_grad:
                continue
            seen.add(id(parameter))
            kind, rate = _rate(module, part)
            if not kind:
                strange.append(f"{name}.{part}".removeprefix("."))
                continue
            for stack, depth in depths.items():
                if name.startswith(f"{stack}.") or not stack:
                    rate *= depth**-0.5
            decays = kind in ("hidden", "embedding", "readout")
            group = groups.setdefault((rate, decays), {"name": "", "params": []})
            if kind not in group["name"].split(", "):
                group["name"] = ", ".join(filter(None, (group["name"], kind)))
            group["params"].append(parameter)
    if strange:
        raise PlanError(
            f"{', '.join(strange[:6])} of modules that are not unit-scaled",
            hint="use maquette.nn.unit throughout; or a plain model, and rule='u-mup' of "
            "maquette.nn.plan",
        )
    return [
        g | {"lr": lr * rate, "weight_decay": weight_decay / rate if decays else 0.0,
             "betas": betas, "eps": eps}
        for (rate, decays), g in groups.items()
    ]  # fmt: skip


def _rate(module: nn.Module, part: str) -> tuple[str, float]:
    """What a parameter is, and its rate; empty for those of other modules."""
    if isinstance(module, Linear) and part == "weight":
        return "hidden", module.fan_in**-0.5
    if isinstance(module, Embedding):
        return "embedding", module.width**-0.5
    if isinstance(module, Readout):
        return "readout", 1.0
    if isinstance(module, Linear | LayerNorm | RMSNorm):
        return "vector", 1.0
    return "", 0.0
