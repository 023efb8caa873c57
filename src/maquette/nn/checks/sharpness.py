"""How sharply the loss bends along the steps that the optimizer takes.

The largest eigenvalue of S H S, where H is the loss's Hessian and S^2 what the optimizer multiplies
a gradient with: the learning rate, over the root of the second moment for Adam and its like. A step
is stable while it is below about 2 (38 with Adam's first moment of 0.9), so where it follows the
width, so does the largest stable rate. It is found by power iteration, with products of H by
differences of gradients, which every operation has.

References
----------
Noci et al. (2024). Super consistency of neural network landscapes and learning rate transfer.
    arXiv:2402.17457.
Cohen et al. (2022). Adaptive gradient methods at the edge of stability. arXiv:2207.14484.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

STEP = 1e-2  # length of a difference, over that of the weights


def sharpness(
    loss: Callable[[], Tensor], optimizers: Sequence[torch.optim.Optimizer], iterations: int
) -> float:
    """Return the eigenvalue; NaN where the loss is not finite.

    Parameters
    ----------
    loss
        Of the parameters as they are, always on one batch.
    optimizers
        After some steps. The parameters are moved and put back.
    iterations
        Of the power method; each takes two gradients.
    """
    weights, scales = [], []
    for optimizer, group in ((o, g) for o in optimizers for g in o.param_groups):
        for p in group["params"]:
            if p.requires_grad:
                weights.append(p)
                scales.append(_scale(optimizer, group, p))
    rng = torch.Generator().manual_seed(0)
    u = [torch.randn(p.shape, generator=rng).to(p) for p in weights]
    start = [p.detach().clone() for p in weights]
    length, value = float(_norm(start)), math.nan
    try:
        for _ in range(iterations):
            size = _norm(u)
            u = [x / size for x in u]
            moved = float(_norm([s * x for s, x in zip(scales, u, strict=True)]))
            step = STEP * length / max(moved, 1e-30)
            up = _gradients(loss, weights, start, scales, [step * x for x in u])
            down = _gradients(loss, weights, start, scales, [-step * x for x in u])
            u = [s * (a - b) / (2 * step) for s, a, b in zip(scales, up, down, strict=True)]
            value = float(_norm(u))
            if not math.isfinite(value) or value == 0:
                return math.nan
    finally:
        _place(weights, start)
    return value


def _scale(optimizer: torch.optim.Optimizer, group: dict[str, object], p: Tensor) -> Tensor:
    """The root of what a gradient's entries are multiplied with."""
    rate = torch.tensor(float(group["lr"]))  # type: ignore[arg-type]
    state = optimizer.state.get(p, {})
    second = state.get("exp_avg_sq")
    if second is None or second.shape != p.shape or "step" not in state:
        return rate.sqrt()
    betas, eps = cast("tuple[float, float]", group["betas"]), cast("float", group["eps"])
    unbiased = cast("Tensor", second) / (1 - float(betas[1]) ** float(state["step"]))
    squared: Tensor = rate / (unbiased.sqrt() + float(eps))
    return squared.sqrt()


def _gradients(
    loss: Callable[[], Tensor],
    weights: list[Tensor],
    start: list[Tensor],
    scales: list[Tensor],
    by: list[Tensor],
) -> list[Tensor]:
    _place(weights, [w + s * x for w, s, x in zip(start, scales, by, strict=True)])
    found = torch.autograd.grad(loss(), weights, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(weights, found, strict=True)]


@torch.no_grad()
def _place(weights: list[Tensor], values: list[Tensor]) -> None:
    for p, value in zip(weights, values, strict=True):
        p.copy_(value)


def _norm(parts: list[Tensor]) -> Tensor:
    return torch.stack([x.double().square().sum() for x in parts]).sum().sqrt()
