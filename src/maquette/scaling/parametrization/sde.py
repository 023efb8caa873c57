"""Batch size and duration: what keeps AdamW's stochastic differential equation.

With m_B the ratio of batch sizes and m_D of training tokens, the ratio of the number of steps is
m_D / m_B, and the noise per unit of the run's own time is kept by

    lr, weight_decay * sqrt(m_B / m_D),   eps * sqrt(m_D / m_B),   1 - beta * m_B / m_D.

References
----------
Malladi et al. (2022). On the SDEs and scaling rules for adaptive gradient algorithms.
    arXiv:2205.10287.
Mlodozeniec et al. (2025). arXiv:2512.22382, table 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from maquette.errors import ScaleError


@final
@dataclass(frozen=True, slots=True)
class Noise:
    """Factors for every tensor alike; ``beta`` multiplies 1 - beta1 and 1 - beta2."""

    lr: float = 1.0
    weight_decay: float = 1.0
    eps: float = 1.0
    beta: float = 1.0

    def betas(self, betas: tuple[float, float]) -> tuple[float, float]:
        """Adam's two decay rates at the other batch size and duration.

        Raises
        ------
        ScaleError
            The ratio is so large that no averaging is left.
        """
        b1, b2 = (1 - (1 - b) * self.beta for b in betas)
        if min(b1, b2) < 0:
            raise ScaleError(
                f"batch over tokens grows {self.beta:.3g}-fold: 1 - beta would pass 1 for {betas}",
                hint="raise the batch size less, or tune it and leave it out of the plan's base",
            )
        return b1, b2


def noise(m_B: float = 1.0, m_D: float = 1.0) -> Noise:
    """Factors at m_B times the batch size and m_D times the tokens."""
    kappa = m_B / m_D
    if not (math.isfinite(kappa) and kappa > 0):
        raise ScaleError(f"ratios of batch and tokens must be positive, not {m_B} and {m_D}")
    return Noise(math.sqrt(kappa), math.sqrt(kappa), 1 / math.sqrt(kappa), kappa)
