"""How large the outputs of operations are for inputs of size 1: what they are divided by."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from scipy.special import erf, expit

from maquette.errors import PlanError

_NODES = 80  # of Gauss-Hermite quadrature


@functools.lru_cache
def gelu_std(mult: float) -> float:
    """Return the standard deviation of gelu(mult x) / mult for x ~ N(0, 1)."""
    return _std(lambda x: x * (1 + erf(mult * x / math.sqrt(2))) / 2)


@functools.lru_cache
def silu_std(mult: float) -> float:
    """Return the standard deviation of silu(mult x) / mult for x ~ N(0, 1)."""
    return _std(lambda x: x * expit(mult * x))


@functools.lru_cache
def silu_rms(mult: float) -> float:
    """Return the root mean square of silu(mult x) / mult: what it multiplies a signal with."""
    return math.sqrt(_mean(lambda x: (x * expit(mult * x)) ** 2))


@functools.lru_cache
def attention_std(length: int, head: int, causal: bool, mult: float) -> float:
    """Return the standard deviation of attention's output for independent unit q, k and v.

    Flat weights average t values at position t: 1 / t of the variance, over positions H_s / s where
    attention is causal, 1 / s else. Logits of mult q k / head are not quite flat; between flat and
    one-hot weights the paper interpolates in logarithms, by 1 / (1 + 4 head / mult^2).
    """
    flat = sum(1 / t for t in range(1, length + 1)) / length if causal else 1 / length
    return float(flat ** (0.5 * (1 - 1 / (1 + 4 * head / mult**2))))


def taus(depth: int, mult: float = 1.0, attention: float = 1.0) -> list[tuple[float, float]]:
    """Return the weights of each block's two branches relative to their skip connections.

    All branches of a kind contribute alike to the last sum, in variance; with both settings at 1,
    attention, feed-forward branches and the embedding contribute a third each (appendix G).

    Parameters
    ----------
    depth
        Blocks, each of an attention and a feed-forward branch.
    mult
        What all branches contribute over what the embedding does.
    attention
        What attention branches contribute over what feed-forward branches do.

    Returns
    -------
    list
        ``(tau of attention, tau of feed-forward)`` for each block.
    """
    if depth < 1 or not mult > 0 or not attention > 0:
        raise PlanError(
            f"taus({depth}, {mult}, {attention}): a depth of 1 or more, and settings above 0"
        )
    ffn = mult * math.sqrt(2 / (1 + attention**2))
    att = attention * ffn
    out = []
    for i in range(depth):
        before = depth + i * (att**2 + ffn**2)
        out.append((att / math.sqrt(before), ffn / math.sqrt(before + att**2)))
    return out


def _mean(f: Callable[[np.ndarray], np.ndarray]) -> float:
    x, w = np.polynomial.hermite_e.hermegauss(_NODES)
    return float(w @ f(x) / w.sum())


def _std(f: Callable[[np.ndarray], np.ndarray]) -> float:
    return math.sqrt(_mean(lambda x: f(x) ** 2) - _mean(f) ** 2)
