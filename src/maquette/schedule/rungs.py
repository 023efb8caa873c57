"""Rungs: the durations at which trials are compared, and the bar there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from maquette.errors import StudyError
from maquette.fidelity import Duration


def rungs(duration: Duration, eta: float) -> tuple[float, ...]:
    """Return r_k = least eta^k below the full duration, and the full duration itself.

    Whole durations stay whole. For (least, full) = (1, 81) and eta = 3: 1, 3, 9, 27, 81.

    Raises
    ------
    StudyError
        If no duration is declared.
    """
    if not duration.axes:
        raise StudyError(
            "halving needs to know how long a trial is: the study declares no fidelity",
            hint='give the study fidelity={"steps": (least, full)}, and report the step',
        )
    least, full = duration.least, duration.full
    whole = float(least).is_integer() and float(full).is_integer()
    levels: list[float] = []
    k = 0
    while (r := least * eta**k) < full * (1 - 1e-9):
        level = float(round(r)) if whole else float(r)
        if not levels or level > levels[-1]:
            levels.append(level)
        k += 1
    return (*(r for r in levels if r < full), float(full))


def cutoff(ranked: Sequence[float], eta: float) -> float | None:
    """Return the 1 / eta quantile of ascending losses; None while there are fewer than eta."""
    if len(ranked) < eta:
        return None
    place = (len(ranked) - 1) / eta
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    # Interpolated by hand: numpy's quantile makes NaN of inf - inf, and a diverged loss is inf.
    if not math.isfinite(ranked[high]):
        return float(ranked[low])
    return float(ranked[low] + (place - low) * (ranked[high] - ranked[low]))
