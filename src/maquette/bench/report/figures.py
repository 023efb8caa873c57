"""The figures of a section: one row an optimizer, and what can be said of pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from maquette.bench import statistics as stats
from maquette.bench.report.section import Section

Array = NDArray[np.float64]

BASELINE = "random"
_DRAWS = 1000


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One optimizer.

    Attributes
    ----------
    name
        Its name.
    rank
        Mean rank over tasks and seeds, with the ends of its 95 % interval; NaN with one seed.
    regret
        Mean over tasks of the median normalised regret at the end, with its interval.
    area
        Mean regret over the budget, averaged over tasks and seeds.
    score
        AlgoPerf score at the first target.
    speedup
        Factor by which the first target is reached in fewer trials than by the baseline; NaN
        without one.
    beats
        Probability that a run of it is better than one of the baseline; NaN without one.
    broken
        Runs in which it crashed or hung.
    """

    name: str
    rank: tuple[float, float, float]
    regret: tuple[float, float, float]
    area: float
    score: float
    speedup: float
    beats: float
    broken: int


@final
@dataclass(frozen=True, slots=True)
class Versus:
    """The optimizer of the best mean rank against another.

    Attributes
    ----------
    name
        The other one.
    better
        Probability that a run of the best one is better.
    p
        Wilcoxon's signed-rank test over tasks, corrected by Holm for all the others.
    nemenyi
        p value of Nemenyi's test.
    seeds
        Paired seeds that a claim about the mean regret needs, at level 0.05 and power 0.8; None:
        beyond reach, or no difference.
    """

    name: str
    better: float
    p: float
    nemenyi: float
    seeds: int | None


def rows(section: Section) -> list[Row]:
    """Return the optimizers, the best mean rank first."""
    # Seeds are drawn for all optimizers together, so that ranks need not be made anew.
    rank = _interval(lambda r: r.mean(axis=(0, 2)), stats.ranks(section.regret))
    regret = _interval(_mean_of_medians, section.regret)
    score = stats.algoperf_score(section.times[0])
    base = section.optimizers.index(BASELINE) if BASELINE in section.optimizers else None
    k = len(section.optimizers)
    nothing = np.full(k, np.nan)
    speedup = nothing if base is None else stats.speedup(section.times[0], base)
    beats = nothing if base is None else stats.probability_of_improvement(section.regret)[:, base]
    area = section.area.mean(axis=(0, 2))
    found = [
        Row(
            name,
            (float(rank.value[i]), float(rank.low[i]), float(rank.high[i])),
            (float(regret.value[i]), float(regret.low[i]), float(regret.high[i])),
            float(area[i]),
            float(score[i]),
            float(speedup[i]),
            float(beats[i]),
            int(section.broken[i]),
        )
        for i, name in enumerate(section.optimizers)
    ]
    return sorted(found, key=lambda row: (row.rank[0], row.name))


def versus(section: Section) -> list[Versus]:
    """Compare the best optimizer with each other one; empty with fewer than two tasks or seeds."""
    if min(len(section.tasks), len(section.optimizers), section.seeds) < 2:
        return []
    medians = section.by_task
    order = np.argsort(stats.mean_ranks(section.regret), kind="stable")
    best, others = int(order[0]), [int(i) for i in order[1:]]
    tested = [stats.wilcoxon(medians[:, best], medians[:, i]).p for i in others]
    p = stats.holm(tested)
    nemenyi = stats.friedman(medians).pairs[best]
    better = stats.probability_of_improvement(section.regret)[best]
    filled = np.where(np.isnan(section.regret), 1.0, section.regret).mean(axis=0)
    return [
        Versus(
            section.optimizers[i],
            float(better[i]),
            float(p[place]),
            float(nemenyi[i]),
            stats.seeds_needed(filled[best] - filled[i]),
        )
        for place, i in enumerate(others)
    ]


def _interval(figure: Callable[[Array], Array], scores: Array) -> stats.Interval:
    """One seed says nothing of how much seeds differ: then the ends are NaN."""
    if scores.shape[2] > 1:
        return stats.interval(figure, scores, draws=_DRAWS)
    unknown = np.full(scores.shape[1], np.nan)
    return stats.Interval(figure(scores), unknown, unknown)


def _mean_of_medians(regret: Array) -> Array:
    """Nothing recommended counts as the median config."""
    filled = np.where(np.isnan(regret), 1.0, regret)
    return np.asarray(np.median(filled, axis=2).mean(axis=0))
