"""What the demo tunes, where, and where it is checked.

Sizes are chosen so that a target run is dear beside a proxy and the whole still ends in minutes on
two cores: prices come from measured speeds, 0.5 to 10 seconds a proxy and about a minute a target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from maquette.scale import Scale
from maquette.space import Float, Int, Space

QUICK_TOKENS = 3e5
FULL_TOKENS = 2e5


@final
@dataclass(frozen=True, slots=True)
class Design:
    """A demo: what varies, at which proxies, and how much may be spent.

    Attributes
    ----------
    space, scale
        Settings in the base model's units; proxies and target.
    trials, seconds
        Trials in all, and the wall clock after which no further trial starts.
    fidelity
        Fraction of a run at which it is first compared with others, and the whole.
    eta
        One trial in eta goes on there.
    sobol
        Share of the trials that fill the space evenly; the rest are drawn to the optimum. A fit
        needs runs on both slopes of a valley, not only at its bottom.
    fixed
        Settings that are not tuned.
    untested
        What this demo does not test, in words.
    """

    name: str
    space: Space
    scale: Scale
    trials: int
    seconds: float
    fidelity: tuple[float, float] = (0.4, 1.0)
    eta: float = 2.5
    sobol: float = 2 / 3
    fixed: Mapping[str, Any] = field(default_factory=dict)
    untested: tuple[str, ...] = ()

    @property
    def prior_drift(self) -> dict[str, dict[str, tuple[float, float]]]:
        """What theory says of the drift: mean and spread of every exponent.

        The parametrization carries settings over width and depth, so none is expected there and
        little can be left; over tokens it says nothing, and the spread is that of the literature.
        """
        spread = {"width": 0.15, "depth": 0.15, "tokens": 0.3}
        axes = {axis: (0.0, spread[axis]) for axis in self.scale.names}
        return dict.fromkeys(self.space, axes)


def quick() -> Design:
    """Width alone: three proxies, one depth, one token budget, two settings."""
    return Design(
        name="quick",
        space=Space(
            {
                "lr": Float(2e-3, 0.06, log=True, default=2.0**-7),
                "weight_decay": Float(3e-3, 1.0, log=True, default=0.1),
            }
        ),
        scale=Scale(
            [{"width": width} for width in (32, 48, 64)],
            width=(32, 128),
            depth=(2, 2),
            tokens=(QUICK_TOKENS, QUICK_TOKENS),
        ),
        trials=48,
        seconds=55.0,
        fixed={"batch": 8, "init_scale": 1.0},
        untested=("depth", "tokens", "batch size", "initialisation scale"),
    )


def full() -> Design:
    """Width, depth and tokens together; four settings, batch size among them."""
    T = FULL_TOKENS
    axes = {"width": (32, 128), "depth": (2, 4), "tokens": (T, 4 * T)}
    corners = Scale(**axes).grid(width=(32, 64), depth=(2, 4), tokens=(T, 2 * T))
    between = Scale(**axes).grid(width=(48,), depth=(2, 4), tokens=(T,))
    return Design(
        name="full",
        space=Space(
            {
                "lr": Float(2e-3, 0.06, log=True, default=2.0**-7),
                "weight_decay": Float(3e-3, 1.0, log=True, default=0.1),
                "init_scale": Float(0.3, 2.0, log=True, default=1.0),
                "batch": Int(2, 24, log=True, default=8),
            }
        ),
        scale=Scale([*corners, *between], **axes),
        trials=180,
        seconds=660.0,
    )
