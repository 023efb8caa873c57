"""Float8, simulated: rounding as it does, and how much of a model's tensors it would lose.

Products of matrices are what float8 is fast at. Their factors are rounded to E4M3 forward and the
gradients to E5M2 (Micikevicius et al.); what is beyond the largest number is clipped to it.

References
----------
Micikevicius et al. (2022). FP8 formats for deep learning. arXiv:2209.05433.
Those of `maquette.nn.unit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast, final

import torch
from torch import Tensor, nn

from maquette.errors import PlanError

FORWARD, BACKWARD = torch.float8_e4m3fn, torch.float8_e5m2


@final
class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, forward: bool, backward: bool) -> Tensor:
        return _cast(x, FORWARD) if forward else x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.rounds = inputs[2]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return (_cast(grad, BACKWARD) if ctx.rounds else grad), None, None


def rounded(x: Tensor, forward: bool = True, backward: bool = False) -> Tensor:
    """Return the tensor as E4M3 holds it, and let its gradient pass as E5M2 holds it.

    Parameters
    ----------
    x
        Of a wider type, which is kept.
    forward, backward
        Which of the two to do; the other is left alone.
    """
    return cast("Tensor", _Rounded.apply(x, forward, backward))  # type: ignore[no-untyped-call]


def _cast(x: Tensor, format_: torch.dtype) -> Tensor:
    most = torch.finfo(format_).max
    return x.clamp(-most, most).to(format_).to(x.dtype)


@final
@dataclass(frozen=True, slots=True)
class Range:
    """One factor of a product of matrices, and what float8 keeps of it.

    Parameters
    ----------
    name, what
        The module; ``input``, ``weight`` or ``gradient`` (of its output).
    size
        Root mean square.
    lost
        Share of the entries other than 0 that become 0.
    coarse
        Share that is held with fewer digits than others, below the smallest normal number.
    clipped
        Share above the largest number.
    error
        Root mean square of the rounding's error over ``size``.
    """

    name: str
    what: str
    size: float
    lost: float
    coarse: float
    clipped: float
    error: float


@final
@dataclass(frozen=True, slots=True)
class Ranges:
    """What float8 keeps of a model's products, by `ranges`."""

    rows: tuple[Range, ...]

    @property
    def worst(self) -> Range:
        """The factor of the largest error."""
        return max(self.rows, key=lambda r: r.error)

    def __str__(self) -> str:
        """A table, one row a factor."""
        width = max(len(r.name) for r in self.rows)
        lines = [f"{'module':{width}}  factor    log2 rms    lost  coarse  clipped  error"]
        for r in self.rows:
            log2 = f"{torch.tensor(r.size).log2().item():8.1f}" if r.size else "    zero"
            lines.append(
                f"{r.name:{width}}  {r.what:8}  {log2}  {r.lost:6.1%}  {r.coarse:6.1%}  "
                f"{r.clipped:7.1%}  {r.error:5.1%}"
            )
        return "\n".join(lines)


def ranges(model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> Ranges:
    """Run one step forward and backward, and measure the factors of all products.

    Parameters
    ----------
    model
        Any. Modules with a matrix called ``weight`` that is multiplied with their input are
        measured: `torch.nn.Linear` and those of `maquette.nn.unit`.
    loss
        ``loss(model)`` returns a number. Gradients that the parameters had are kept.

    Raises
    ------
    PlanError
        There are no such modules, or the loss has no gradient.
    """
    watched = {n or type(m).__name__: m for n, m in model.named_modules() if _multiplies(m)}
    if not watched:
        raise PlanError("the model has no linear layer", hint="measure the module that holds them")
    rows: list[Range] = []
    handles = []
    for name, module in watched.items():
        rows.append(_range(name, "weight", cast("Tensor", module.weight), FORWARD))

        def look(_: Any, args: Any, output: Any, name: str = name) -> None:
            rows.append(_range(name, "input", args[0], FORWARD))
            if output.requires_grad:
                output.register_hook(
                    lambda grad: rows.append(_range(name, "gradient", grad, BACKWARD))
                )

        handles.append(module.register_forward_hook(look))
    try:
        value = loss(model)
        if not value.requires_grad:
            raise PlanError("the loss has no gradient", hint="leave torch.no_grad() out")
        wanted = [p for p in model.parameters() if p.requires_grad]
        torch.autograd.grad(value, wanted, allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    order = {n: i for i, n in enumerate(watched)}
    kinds = ("input", "weight", "gradient")
    return Ranges(tuple(sorted(rows, key=lambda r: (order[r.name], kinds.index(r.what)))))


def _multiplies(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return (
        isinstance(weight, Tensor)
        and weight.ndim == 2
        and type(module).__name__.rpartition("FSDP")[2] in ("Linear", "Readout")
    )


@torch.no_grad()
def _range(name: str, what: str, x: Tensor, format_: torch.dtype) -> Range:
    x = x.detach().float().flatten()
    size = x.square().mean().sqrt()
    most, least = torch.finfo(format_).max, torch.finfo(format_).smallest_normal
    held, filled = _cast(x, format_), x != 0
    some = filled.sum().clamp(min=1)

    def share(which: Tensor) -> float:
        return float(which.sum() / some)

    return Range(
        name=name,
        what=what,
        size=float(size),
        lost=share((held == 0) & filled),
        coarse=share((x.abs() < least) & (held != 0)),
        clipped=share(x.abs() > most),
        error=float((held - x).square().mean().sqrt() / size) if size > 0 else 0.0,
    )
