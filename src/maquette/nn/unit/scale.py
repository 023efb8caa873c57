"""Multiply by one constant forward and by another backward."""

from __future__ import annotations

from typing import Any, cast, final

import torch
from torch import Tensor


@final
class _Scaled(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, forward: float, backward: float) -> Tensor:
        return x.view_as(x) if forward == 1 else x * forward

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.backward_scale = inputs[2]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return (grad if ctx.backward_scale == 1 else grad * ctx.backward_scale), None, None


def scaled(x: Tensor, forward: float = 1.0, backward: float = 1.0) -> Tensor:
    """Return ``forward * x``, whose gradient with respect to x is taken as ``backward``.

    Parameters
    ----------
    x
        Of any shape and floating-point type.
    forward, backward
        The two constants.
    """
    return cast("Tensor", _Scaled.apply(x, forward, backward))  # type: ignore[no-untyped-call]
