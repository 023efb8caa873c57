"""Maximal update parametrization for Adam, with no forward multipliers; CompleteP for depth.

Tensor Programs V, table 8, gives the readout initial variance 1, learning rate 1 and a multiplier
1 / m_N in the forward pass. By abc-symmetry that equals initial variance 1 / m_N^2 (relative to the
base model's) and learning rate 1 / m_N with no multiplier, the form of its table 3.

The readout's entries are of order 1 / n, and so is the gradient of everything but the readout.
A tied readout has no such form: the embedding's variance must not shrink. It needs the multiplier.

References
----------
Yang et al. (2022). Tensor Programs V. arXiv:2203.03466, tables 3 and 8.
Dey et al. (2025). Don't be lazy: CompleteP enables compute-efficient deep transformers.
    arXiv:2505.01618, table 1.
Mlodozeniec et al. (2025). Completed hyperparameter transfer across modules, width, depth, batch and
    duration. arXiv:2512.22382, table 1.
"""

from maquette.scaling.parametrization.rule import Exponents, Rule

MUP = Rule(
    name="mup",
    summary="as everett, and a readout that starts at a standard deviation of 1 / fan-in",
    width={
        "embedding": Exponents(init=0, lr=0, eps=-1),
        "hidden": Exponents(init=-1 / 2, lr=-1, eps=-1),
        "readout": Exponents(init=-1, lr=-1, eps=0),
        "vector": Exponents(init=None, lr=0, eps=-1),
        "scalar": Exponents(init=None, lr=0, eps=0),
    },
    alpha=1.0,
    references=("arXiv:2203.03466", "arXiv:2505.01618", "arXiv:2512.22382"),
)
