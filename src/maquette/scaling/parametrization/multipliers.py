"""From a rule and a tensor's ratios to its multipliers.

CompleteP multiplies each residual branch by c = m_L^-alpha. A multiplier in the forward pass and a
multiplied weight are one thing seen twice (abc-symmetry): with W' = c W the gradient is 1 / c
times as large, so Adam's update of W' is that of W times c if

    lr' = c lr,   eps' = eps / c,   weight_decay' = weight_decay / c,

the last because AdamW shrinks by lr times weight_decay. So the last matrix of a branch carries the
multiplier, and the model's code is untouched. The other tensors of a branch see gradients c times
smaller, hence epsilon times m_L^-alpha; on the last matrix that and the 1 / c above cancel.

References
----------
Yang and Hu (2021). Tensor Programs IV: feature learning in infinite-width networks.
    arXiv:2011.14522 (abc-parametrizations).
Dey et al. (2025). arXiv:2505.01618, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from maquette.scaling.parametrization.rule import Role, Rule


@final
@dataclass(frozen=True, slots=True)
class Multipliers:
    """Factors from the base model's settings to the target's, for one tensor.

    ``init`` is the wanted ratio of initial standard deviations, target over base, or ``None`` to
    keep what the model does. ``fold``, the residual multiplier that the tensor carries, multiplies
    its initial value besides; the other three factors include it.
    """

    init: float | None
    lr: float
    weight_decay: float
    eps: float
    fold: float = 1.0


def multipliers(
    rule: Rule,
    role: Role,
    *,
    width: float = 1.0,
    depth: float = 1.0,
    branch: bool = False,
    fold: float = 1.0,
) -> Multipliers:
    """Multipliers of one tensor.

    Parameters
    ----------
    rule, role
        Row and column of the table.
    width
        m_N of this tensor: its fan-in ratio, or fan-out ratio for embeddings and vectors.
    depth
        m_L, the ratio of the numbers of layers.
    branch
        Whether the tensor is inside a residual branch that repeats with depth.
    fold
        The residual multiplier that this tensor has to carry: 1 for all but the end of a branch.
    """
    power = rule.width[role]
    init = None if power.init is None else width**power.init
    lr, decay, eps = width**power.lr, width**-power.lr, width**power.eps
    if branch and rule.alpha is not None:
        # The published table keeps weight decay while lr gets m_L^(alpha - 1).
        lr *= depth ** (rule.alpha - 1)
        eps *= depth**-rule.alpha
    return Multipliers(init, fold * lr, decay / fold, eps / fold, fold)
