"""The loss curve that sound proxies foretell for the target, and what planted faults do to one.

At every progress, the share of a run's tokens, the log loss of sound proxies is a line in the logs
of their scale. Its value at the target, with the covariance of what is left, is the band.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.scaling.coordinates import Array

BINS = 6  # of progress, in which losses are averaged
AMPLITUDE = 0.35  # a: relative strength of a cause at the target
NOISE = 0.004  # least standard deviation of a bin, in log loss


@final
@dataclass(frozen=True, slots=True)
class Curve:
    """The training loss of one proxy, sound or with a planted fault.

    Parameters
    ----------
    progress
        Share of the run's tokens, rising, in (0, 1].
    loss
        There; positive.
    scale
        Axes of the run.
    cause
        What was wrong with it on purpose, in words; empty for a sound run.
    """

    progress: tuple[float, ...]
    loss: tuple[float, ...]
    scale: Mapping[str, float]
    cause: str = ""


@final
@dataclass(frozen=True, slots=True)
class Expected:
    """Mean (b,) and covariance (b, b) at the target, and what each cause adds."""

    mean: Array
    covariance: Array
    causes: Mapping[str, tuple[Array, Array]]


def problems_of(i: int, c: Curve) -> list[str]:
    """What is wrong with the i-th curve, in words."""
    what = f"curve {i}" + (f" ({c.cause})" if c.cause else "")
    p = np.asarray(c.progress, float)
    if len(c.progress) != len(c.loss) or not len(p):
        return [f"{what}: {len(c.progress)} places and {len(c.loss)} losses"]
    if np.any(np.diff(p) <= 0) or p[0] <= 0 or p[-1] > 1 + 1e-9:
        return [f"{what}: progress must rise, within (0, 1]"]
    if not c.cause and not (np.all(np.isfinite(c.loss)) and min(c.loss) > 0):
        return [f"{what}: losses must be positive numbers"]
    return []


def edges_up_to(curves: Sequence[Curve], last: float) -> Array:
    """Bounds of the bins up to some progress: even in log, from where every curve has begun."""
    first = max(c.progress[0] for c in curves if not c.cause)
    if last <= first * 1.5:
        return np.array([0.0, max(last, first) * (1 + 1e-9)])
    return np.concatenate([[0.0], np.geomspace(first, last, BINS + 1)[1:] * (1 + 1e-9)])


def binned(progress: Array, values: Array, edges: Array) -> Array:
    """Means of the values by bin (b,); NaN where there are none."""
    which = np.searchsorted(edges, progress, side="left") - 1
    inside = (which >= 0) & (which < len(edges) - 1)
    count = np.bincount(which[inside], minlength=len(edges) - 1)
    total = np.bincount(which[inside], values[inside], minlength=len(edges) - 1)
    return np.where(count > 0, total / np.maximum(count, 1), math.nan)


def _rows(curves: Sequence[Curve], edges: Array) -> Array:
    """Log losses (n, b) by bin, gaps filled along the curve; a diverged one stays at its worst."""
    rows = []
    middle = np.sqrt(np.maximum(edges[:-1], edges[1:] / 4) * edges[1:])
    for c in curves:
        y = np.asarray(c.loss, float)
        worst = np.nanmax(y[np.isfinite(y)], initial=1.0)
        y = np.log(np.where(np.isfinite(y) & (y > 0), y, 4 * worst))
        p = np.asarray(c.progress)
        row = binned(p, y, edges)
        rows.append(np.where(np.isfinite(row), row, np.interp(middle, p, y)))
    return np.array(rows)


def expected_at(
    curves: Sequence[Curve], scale: Mapping[str, float], doubt: float, edges: Array
) -> Expected:
    """Fit the sound proxies' lines, and what each cause adds to them."""
    sound = [c for c in curves if not c.cause]
    axes = [a for a in scale if all(a in c.scale for c in curves)
            and len({c.scale[a] for c in sound}) > 1]  # fmt: skip
    base = np.array([[math.log(c.scale[a]) for a in axes] for c in sound]).reshape(len(sound), -1)
    centre = base.mean(0)

    def design(rows: Sequence[Mapping[str, float]]) -> Array:
        logs = [[math.log(r[a]) for a in axes] for r in rows]
        x = np.array(logs).reshape(len(rows), -1) - centre
        return np.column_stack([np.ones(len(rows)), x])

    X, Y = design([c.scale for c in sound]), _rows(sound, edges)
    weights = np.linalg.pinv(X)
    line = weights @ Y
    left = Y - X @ line
    free = max(len(sound) - np.linalg.matrix_rank(X), 1)
    raw = left.T @ left / free
    diagonal = np.diag(np.diag(raw)) + NOISE**2 * np.eye(len(raw))
    shrink = min(1.0, len(raw) / (free + len(raw)))
    C = (1 - shrink) * raw + shrink * diagonal
    target = design([scale])[0] if axes else np.array([1.0])
    far = float(target @ (weights @ weights.T) @ target)
    ones = np.ones_like(C)
    causes = {}
    for name in dict.fromkeys(c.cause for c in curves if c.cause):
        mine = [c for c in curves if c.cause == name]
        d = _rows(mine, edges) - design([c.scale for c in mine]) @ line
        # A few proxies say little of how much their bends differ: no less than a, bin by bin.
        causes[name] = (d.mean(0), np.diag(d.var(0) + (AMPLITUDE * d.mean(0)) ** 2))
    return Expected(target @ line, (1 + far) * C + doubt**2 * ones, causes)
