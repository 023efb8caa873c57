"""Drift exponents that published laws agree and disagree on, for columns whose meaning is known.

A table's columns have no meaning to `fit`. Whoever knows that a column is a learning rate may say
so, and hands the fit what the literature says before any run: the middle of the published
exponents, with their disagreement as the spread. Step Law (arXiv:2503.04715) is left out, so that
its public runs stay a fair test.

References
----------
Bjorck et al. (2024), arXiv:2409.19913: lr ~ N^-0.23 D^-0.32 at fixed batch. Porian et al. (2024),
arXiv:2406.19146: lr ~ N^-0.36, batch ~ N^0.70 along D = 20 N. DeepSeek-AI (2024),
arXiv:2401.02954: lr ~ C^-0.125, batch ~ C^0.33. Bergsma et al. (2025), arXiv:2505.13738: batch ~
D^0.38, flat in N; AdamW timescale B / (lr wd D) ~ (D / N)^-0.52. Zhang et al. (2024),
arXiv:2410.21676: critical batch ~ D^0.47, flat in N. Yang et al. (2022), arXiv:2203.03466: hidden
learning rates ~ 1 / width under standard parametrization with Adam.
"""

from __future__ import annotations

from maquette.errors import DataError, nearest

Prior = dict[str, dict[str, tuple[float, float]]]

# setting -> axis -> mean and standard deviation of d log x* / d log s
EXPONENTS: Prior = {
    "learning rate": {
        "parameters": (-0.35, 0.15),
        "tokens": (0.0, 0.25),
        "width": (-0.7, 0.3),
        "depth": (-0.3, 0.3),
        "batch": (0.4, 0.2),
    },
    "batch": {
        "parameters": (0.1, 0.2),
        "tokens": (0.45, 0.1),
        "width": (0.0, 0.2),
        "depth": (0.0, 0.2),
    },
    "weight decay": {
        "parameters": (-0.2, 0.3),
        "tokens": (-0.3, 0.3),
        "width": (0.3, 0.4),
        "batch": (0.7, 0.3),
    },
}
AXES = tuple(dict.fromkeys(axis for by in EXPONENTS.values() for axis in by))


def literature(**meaning: str) -> Prior:
    """Return ``prior_drift`` for `fit` from what columns mean.

    Parameters
    ----------
    meaning
        ``column="learning rate" | "batch" | "weight decay"`` for settings and
        ``column="parameters" | "tokens" | "width" | "depth" | "batch"`` for axes of scale.

    Examples
    --------
    >>> literature(lr="learning rate", N="parameters")
    {'lr': {'N': (-0.35, 0.15)}}
    """
    known = (*EXPONENTS, *AXES)
    problems = [
        f"{column} cannot be {what!r}.{nearest(what, known)}"
        for column, what in meaning.items()
        if what not in known
    ]
    if problems:
        raise DataError(problems)
    out: Prior = {}
    for setting, what in meaning.items():
        by = EXPONENTS.get(what, {})
        row = {
            axis: by[named] for axis, named in meaning.items() if named in by and axis != setting
        }
        if row:
            out[setting] = row
    return out
