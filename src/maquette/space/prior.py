"""Priors over single parameters: uniform coordinates carried to where the prior puts them."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from maquette.space.codec import Array, Codec
from maquette.space.parameter import Choice


def to_prior(codec: Codec, unit: Array) -> Array:
    """Carry uniform coordinates (n, d) to coordinates that follow the priors.

    Inverse distribution function per dimension: a normal truncated to the range in the (log)
    scale, or the weights of a choice. Dimensions without a prior stay uniform.
    """
    out = unit.copy()
    for j, p in enumerate(codec.parameters):
        if p.prior is None:
            continue
        if isinstance(p, Choice):
            edges = np.cumsum(p.prior) / math.fsum(p.prior)
            # The last value with weight takes what rounding leaves above the last edge.
            last = max(i for i, w in enumerate(p.prior) if w > 0)
            cell = np.minimum(np.searchsorted(edges, unit[:, j], side="right"), last)
            out[:, j] = (cell + 0.5) / len(p.values)
        elif codec.b[j] > codec.a[j]:
            out[:, j] = _truncated(_normal(*p.prior, p.log), codec.a[j], codec.b[j], unit[:, j])
    return out


def _normal(centre: float, spread: float, log: bool) -> NormalDist:
    return NormalDist(math.log(centre), math.log(spread)) if log else NormalDist(centre, spread)


def _truncated(normal: NormalDist, a: float, b: float, uniform: Array) -> Array:
    """Return coordinates in [0, 1] of a normal truncated to [a, b], which holds its mean."""
    below, above = normal.cdf(a), normal.cdf(b)
    levels = np.clip(below + uniform * (above - below), 1e-300, 1.0 - 1e-16)
    quantiles = np.array([normal.inv_cdf(q) for q in levels.tolist()])
    return np.asarray(np.clip((quantiles - a) / (b - a), 0.0, 1.0))


def log_density(codec: Codec, unit: Array) -> Array:
    """Log prior density at coordinates (n, d) with respect to the uniform measure, shape (n, d).

    Zero where a parameter has no prior. Sum over the active dimensions for a config's density.
    """
    out = np.zeros(unit.shape)
    for j, p in enumerate(codec.parameters):
        if p.prior is None:
            continue
        if isinstance(p, Choice):
            share = np.array(p.prior) / math.fsum(p.prior) * len(p.values)
            cell = np.clip((unit[:, j] * len(p.values)).astype(np.intp), 0, len(p.values) - 1)
            with np.errstate(divide="ignore"):
                out[:, j] = np.log(share)[cell]
        elif codec.b[j] > codec.a[j]:
            normal, span = _normal(*p.prior, p.log), codec.b[j] - codec.a[j]
            z = (codec.a[j] + unit[:, j] * span - normal.mean) / normal.stdev
            mass = normal.cdf(codec.b[j]) - normal.cdf(codec.a[j])
            constant = math.log(span / (normal.stdev * math.sqrt(2 * math.pi) * mass))
            out[:, j] = constant - 0.5 * z**2
    return out
