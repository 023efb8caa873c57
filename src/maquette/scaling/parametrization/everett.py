"""Standard parametrization with a learning rate for each role, full alignment; CompleteP for depth.

Everett et al., table 1, column "Standard": initialisation stands as usual, of variance 1 / n, with
no multiplier in the forward pass; table 3, full alignment: learning rates n^0, n^-1, n^-1 for
embedding, hidden and readout. Parameter groups alone carry it, so the model's code is untouched.

The power of epsilon is that of the gradient's entries. The readout's entries are of order n^-1/2,
so the gradient that reaches the residual stream is too, and with it the gradient of everything but
the readout itself, whose gradient is of order 1.

References
----------
Everett et al. (2024). Scaling exponents across parameterizations and optimizers. arXiv:2407.05872.
Dey et al. (2025). Don't be lazy: CompleteP enables compute-efficient deep transformers.
    arXiv:2505.01618.
"""

from maquette.scaling.parametrization.rule import Exponents, Rule

EVERETT = Rule(
    name="everett",
    summary="standard initialisation; hidden and readout learning rates as 1 / fan-in",
    width={
        "embedding": Exponents(init=0, lr=0, eps=-1 / 2),
        "hidden": Exponents(init=-1 / 2, lr=-1, eps=-1 / 2),
        "readout": Exponents(init=-1 / 2, lr=-1, eps=0),
        # One matrix in two roles: it takes the readout's rate, the one that bounds the logits.
        "tied": Exponents(init=-1 / 2, lr=-1, eps=0),
        "vector": Exponents(init=None, lr=0, eps=-1 / 2),
        "scalar": Exponents(init=None, lr=0, eps=0),
    },
    alpha=1.0,
    references=("arXiv:2407.05872", "arXiv:2505.01618"),
)
