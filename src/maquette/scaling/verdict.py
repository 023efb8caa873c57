"""How far to trust a recipe: expected regret, lowered by named findings.

Each reason says what is missing and names the run that would supply it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

Level = Literal["trust", "caution", "do-not-trust"]
ORDER: tuple[Level, ...] = ("trust", "caution", "do-not-trust")
TRUST, CAUTION = 0.003, 0.01  # expected regret, relative loss


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the runs that lowers trust, at least to ``level``."""

    code: str
    level: Level
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """A level and the reasons for it, the heaviest first."""

    level: Level
    reasons: tuple[str, ...]
    codes: tuple[str, ...] = ()


def percent(regret: float) -> str:
    """Write a relative regret in percent; the digits of a hopeless one say nothing."""
    if math.isnan(regret):
        return "unknown"
    return "over 100 %" if regret > 1.0 else f"{100 * regret:.2g} %"


def judge(regret: float, findings: Sequence[Finding]) -> Verdict:
    """Combine expected regret (relative) with findings."""
    level: Level = "trust" if regret < TRUST else "caution" if regret < CAUTION else "do-not-trust"
    ordered = sorted(findings, key=lambda f: -ORDER.index(f.level))
    reasons = [f.reason for f in ordered]
    text = f"expected regret at the target is {percent(regret)}"
    if math.isnan(regret):
        reasons.append(f"{text}: no setting was varied")
    elif level == "trust":
        reasons.append(f"{text} (under {100 * TRUST:g} %)")
    else:
        bound = TRUST if level == "caution" else CAUTION
        reasons.append(
            f"{text} (above {100 * bound:g} %): more runs near the optimum, at scales "
            "nearer to the target, would lower it"
        )
    worst = max([level, *(f.level for f in ordered)], key=ORDER.index)
    return Verdict(worst, tuple(reasons), tuple(f.code for f in ordered))
