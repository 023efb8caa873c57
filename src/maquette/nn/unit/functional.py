"""Unit-scaled operations: for inputs, weights and gradients of size 1, outputs of size 1.

Sizes are standard deviations at initialisation. With s the constant that an operation is
multiplied by,

    linear       s = fan_in^-1/2             weights' gradients rows^-1/2
    readout      s = fan_in^-1, backward fan_out^-1/2
    gelu, silu   1 / std of their output     both directions
    attention    logits q k / head; 1 / std of a mean over values, both directions
    embedding    1                           its gradient (entries / rows)^1/2
    norms        1                           gains' gradients rows^-1/2
    x + f(x)     (x + tau f(x)) / (1 + tau^2)^1/2; the branch's gradient is multiplied at the split
    loss         1, backward V / (V - 1)^1/2 a row; no mean

Rows are all entries but the last dimension's. A linear layer's gradient with respect to its input
is multiplied by its own s, as the function's derivative is: with fan_out other than fan_in it is
not of size 1 by itself, but a pair up and down is.

References
----------
Those of `maquette.nn.unit`; table of operations in appendix B of the first.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from maquette.nn.unit.float8 import rounded
from maquette.nn.unit.scale import scaled
from maquette.nn.unit.sizes import attention_std, gelu_std, silu_rms, silu_std


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, float8: bool = False) -> Tensor:
    """Return ``x @ weight.T / sqrt(fan_in)``, and the bias.

    Parameters
    ----------
    x
        (..., fan_in).
    weight
        (fan_out, fan_in), of size 1.
    bias
        (fan_out,), or none.
    float8
        Round both factors of every product as float8 does: activations and weights to E4M3,
        gradients to E5M2. No scale factors are needed.

    Returns
    -------
    Tensor
        (..., fan_out).
    """
    s = weight.shape[1] ** -0.5
    return _linear(x, weight, bias, (s, s), float8)


def readout(x: Tensor, weight: Tensor, float8: bool = False) -> Tensor:
    """Return logits, ``x @ weight.T / fan_in``; see `linear`.

    Nothing but the readout is between the model and its loss, so backward it may be multiplied by
    another constant.
    """
    fan_out, fan_in = weight.shape
    return _linear(x, weight, None, (1 / fan_in, fan_out**-0.5), float8)


def _linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, s: tuple[float, float], float8: bool
) -> Tensor:
    rows = max(x.numel() // x.shape[-1], 1)
    x = scaled(x, backward=s[1])
    weight = scaled(weight, backward=rows**-0.5)
    if float8:
        x, weight = rounded(x), rounded(weight)
    y = functional.linear(x, weight)
    if float8:
        y = rounded(y, forward=False, backward=True)
    y = scaled(y, forward=s[0])
    return y if bias is None else y + scaled(bias, backward=rows**-0.5)


def gelu(x: Tensor, mult: float = 1.0) -> Tensor:
    """Return ``gelu(mult x) / mult``, scaled; ``mult`` is how far it is from linear."""
    s = 1 / gelu_std(mult)
    return scaled(functional.gelu(mult * scaled(x, backward=s)) / mult, forward=s)


def silu(x: Tensor, mult: float = 1.0) -> Tensor:
    """Return ``silu(mult x) / mult``, scaled."""
    s = 1 / silu_std(mult)
    return scaled(functional.silu(mult * scaled(x, backward=s)) / mult, forward=s)


def silu_gated(x: Tensor, gate: Tensor, mult: float = 1.0) -> Tensor:
    """Return ``x silu(mult gate) / mult``, scaled: the gated unit of SwiGLU."""
    s = 1 / silu_rms(mult)
    x, gate = scaled(x, backward=s), scaled(gate, backward=s)
    return scaled(x * functional.silu(mult * gate) / mult, forward=s)


def attention(q: Tensor, k: Tensor, v: Tensor, causal: bool = False, mult: float = 1.0) -> Tensor:
    """Return softmax attention with logits ``mult q k / head``, scaled.

    Parameters
    ----------
    q, k, v
        (..., length, head). Whatever `torch.nn.functional.scaled_dot_product_attention` computes
        with, it computes with here.
    causal
        Whether positions see those before them alone.
    mult
        Of the logits.
    """
    head = q.shape[-1]
    s = 1 / attention_std(int(v.shape[-2]), int(head), causal, mult)
    q, k, v = (scaled(t, backward=s) for t in (q, k, v))
    y = functional.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=mult / head)
    return scaled(y, forward=s)


def embedding(index: Tensor, weight: Tensor) -> Tensor:
    """Look rows of a table up: (...) -> (..., width)."""
    weight = scaled(weight, backward=(weight.shape[0] / max(index.numel(), 1)) ** 0.5)
    return functional.embedding(index, weight)


def layer_norm(x: Tensor, gain: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Normalise the last dimension to mean 0 and variance 1."""
    return functional.layer_norm(x, x.shape[-1:], _gain(x, gain), None, eps)


def rms_norm(x: Tensor, gain: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Normalise the last dimension to root mean square 1."""
    return functional.rms_norm(x, tuple(x.shape[-1:]), _gain(x, gain), eps)


def _gain(x: Tensor, gain: Tensor | None) -> Tensor | None:
    return None if gain is None else scaled(gain, backward=(x.shape[-1] / x.numel()) ** 0.5)


def add(x: Tensor, y: Tensor) -> Tensor:
    """Return ``(x + y) / sqrt(2)``; one that is broadcast is summed over backward."""
    s = 2**-0.5
    out = max(x.numel(), y.numel())
    x, y = (t if t.numel() == out else scaled(t, backward=(t.numel() / out) ** 0.5) for t in (x, y))
    return s * (x + y)


def split(x: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """Return a residual branch's input and the skip connection; `join` follows."""
    size = (1 + tau**2) ** 0.5
    return scaled(x, backward=tau / size), scaled(x, backward=1 / size)


def join(branch: Tensor, skip: Tensor, tau: float) -> Tensor:
    """Return ``(tau branch + skip) / sqrt(1 + tau^2)``; the branch's gradient stays of size 1."""
    size = (1 + tau**2) ** 0.5
    return scaled(branch, forward=tau / size) + scaled(skip, forward=1 / size)


def cross_entropy(logits: Tensor, target: Tensor, ignore_index: int = -100) -> Tensor:
    """Return the mean cross entropy; the gradient of each row's logits is of size 1.

    Gradients are those of the sum and not of the mean, so that a larger batch does not shrink them.
    Clip them by a norm that knows of it, or not at all.

    Parameters
    ----------
    logits
        (..., V).
    target
        (...), indices below V.
    ignore_index
        Rows of this target are left out.
    """
    V = logits.shape[-1]
    flat = scaled(logits.reshape(-1, V), backward=V / (V - 1) ** 0.5)
    if flat.dtype in (torch.float16, torch.bfloat16):
        flat = flat.float()
    target = target.reshape(-1)
    total = functional.cross_entropy(flat, target, ignore_index=ignore_index, reduction="sum")
    mean = total.detach() / (target != ignore_index).sum().clamp(min=1)
    return total - total.detach() + mean
