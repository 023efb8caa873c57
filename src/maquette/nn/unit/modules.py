"""Modules of unit-scaled operations; their parameters start at 1, drawn or constant."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from maquette.nn.unit import functional as unit


@final
class Linear(nn.Module):
    """A hidden matrix. ``(..., fan_in) -> (..., fan_out)``; see `maquette.nn.unit.linear`.

    Parameters
    ----------
    fan_in, fan_out
        Sizes.
    bias
        Whether there is one; it starts at 0.
    float8
        Simulate products in float8.
    """

    def __init__(self, fan_in: int, fan_out: int, bias: bool = False, float8: bool = False) -> None:
        super().__init__()
        self.fan_in, self.fan_out, self.float8 = fan_in, fan_out, float8
        self.weight = nn.Parameter(torch.empty(fan_out, fan_in))
        self.bias = nn.Parameter(torch.empty(fan_out)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return unit.linear(x, self.weight, self.bias, self.float8)


@final
class Readout(nn.Module):
    """The matrix before the loss. ``(..., fan_in) -> (..., fan_out)``, logits."""

    def __init__(self, fan_in: int, fan_out: int, float8: bool = False) -> None:
        super().__init__()
        self.fan_in, self.fan_out, self.float8 = fan_in, fan_out, float8
        self.weight = nn.Parameter(torch.empty(fan_out, fan_in))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        nn.init.normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return unit.readout(x, self.weight, self.float8)


@final
class Embedding(nn.Module):
    """A table that is looked up. Indices ``(...) -> (..., width)``."""

    def __init__(self, entries: int, width: int) -> None:
        super().__init__()
        self.entries, self.width = entries, width
        self.weight = nn.Parameter(torch.empty(entries, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the rows anew."""
        nn.init.normal_(self.weight)

    def forward(self, index: Tensor) -> Tensor:
        """Look up."""
        return unit.embedding(index, self.weight)


@final
class LayerNorm(nn.Module):
    """Mean 0 and variance 1 along the last dimension, times a gain where one is wanted."""

    def __init__(self, width: int, gain: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width)) if gain else None

    def reset_parameters(self) -> None:
        """Set the gain to 1."""
        if self.weight is not None:
            nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        return unit.layer_norm(x, self.weight, self.eps)


@final
class RMSNorm(nn.Module):
    """Root mean square 1 along the last dimension, times a gain where one is wanted."""

    def __init__(self, width: int, gain: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width)) if gain else None

    def reset_parameters(self) -> None:
        """Set the gain to 1."""
        if self.weight is not None:
            nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        return unit.rms_norm(x, self.weight, self.eps)


@final
class Stack(nn.ModuleList):
    """The blocks of the residual stream: `param_groups` divides their rates by sqrt(depth)."""
