"""What a parametrization says, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final, get_args

Role = Literal["embedding", "hidden", "readout", "tied", "vector", "scalar"]
ROLES: tuple[Role, ...] = get_args(Role)


@final
@dataclass(frozen=True, slots=True)
class Exponents:
    """Powers of a tensor's width ratio m_N that multiply its settings.

    The ratio is that of the fan-in for matrices that sum over the width (hidden, readout, tied),
    and of the fan-out for the rest (embedding, vector).

    Parameters
    ----------
    init
        Power for the standard deviation at initialisation; ``None`` keeps what the model does.
    lr
        Power for the learning rate. Weight decay gets the opposite power, so that their product,
        which is what AdamW shrinks a weight by, stays as tuned.
    eps
        Power for Adam's epsilon: that of the gradient's entries.
    """

    init: float | None
    lr: float
    eps: float


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """A parametrization of width and depth for Adam and AdamW.

    Parameters
    ----------
    name
        As in ``plan(rule=...)``.
    summary
        One sentence.
    width
        Exponents of each role.
    alpha
        Residual branches are multiplied by m_L^-alpha (CompleteP); ``None`` leaves depth alone.
    references
        Papers.
    """

    name: str
    summary: str
    width: Mapping[Role, Exponents]
    alpha: float | None
    references: tuple[str, ...]
