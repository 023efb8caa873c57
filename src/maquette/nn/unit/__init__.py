"""Unit-scaled building blocks for u-muP: every signal starts at 1, so low precision suffices.

    from maquette.nn import unit

    x, skip = unit.split(x, tau)
    x = unit.join(self.down(unit.gelu(self.up(self.norm(x)))), skip, tau)
    ...
    optimizer = torch.optim.AdamW(unit.param_groups(model, lr=1.0))

Weights start at standard deviation 1, and so do activations and gradients with respect to both,
whatever the width, depth and batch: each operation is multiplied by a constant forward, and by one
of its own backward. Where a tensor is all that joins two parts of the model, the two constants may
differ: the gradients of all that is before it change by one factor, which Adam does not see.
Elsewhere they are equal, so that gradients are those of the function that is computed, up to a
constant for each parameter.

References
----------
Blake et al. (2025). u-muP: the unit-scaled maximal update parametrization. arXiv:2407.17465.
Blake, Orr and Luschi (2023). Unit scaling: out-of-the-box low-precision training. arXiv:2303.11257.
"""

from maquette.nn.unit.float8 import Range, Ranges, ranges, rounded
from maquette.nn.unit.functional import (
    add,
    attention,
    cross_entropy,
    embedding,
    gelu,
    join,
    layer_norm,
    linear,
    readout,
    rms_norm,
    silu,
    silu_gated,
    split,
)
from maquette.nn.unit.groups import param_groups
from maquette.nn.unit.modules import Embedding, LayerNorm, Linear, Readout, RMSNorm, Stack
from maquette.nn.unit.scale import scaled
from maquette.nn.unit.sizes import taus

__all__ = [
    "Embedding",
    "LayerNorm",
    "Linear",
    "RMSNorm",
    "Range",
    "Ranges",
    "Readout",
    "Stack",
    "add",
    "attention",
    "cross_entropy",
    "embedding",
    "gelu",
    "join",
    "layer_norm",
    "linear",
    "param_groups",
    "ranges",
    "readout",
    "rms_norm",
    "rounded",
    "scaled",
    "silu",
    "silu_gated",
    "split",
    "taus",
]
