"""Statistics for comparing tuners over tasks and seeds.

Scores stand in arrays of shape (tasks, optimizers, seeds) or (tasks, optimizers); lower is better,
NaN or infinity: no result, which ranks last. Seeds are paired: seed j of a task means the same
noise and the same start for every optimizer.
"""

from __future__ import annotations

from maquette.bench.statistics.anytime import area, at, crossing
from maquette.bench.statistics.bootstrap import Interval, interval
from maquette.bench.statistics.discrepancy import (
    representative,
    star_discrepancies,
    star_discrepancy,
)
from maquette.bench.statistics.friedman import Friedman, critical_difference, friedman, groups
from maquette.bench.statistics.improvement import probability_of_improvement
from maquette.bench.statistics.profiles import algoperf_score, ratio_profile, score_profile, speedup
from maquette.bench.statistics.ranks import mean_ranks, ranks
from maquette.bench.statistics.regret import incumbent, normalised_regret
from maquette.bench.statistics.seeds import seeds_needed
from maquette.bench.statistics.wilcoxon import Wilcoxon, holm, wilcoxon

__all__ = [
    "Friedman",
    "Interval",
    "Wilcoxon",
    "algoperf_score",
    "area",
    "at",
    "critical_difference",
    "crossing",
    "friedman",
    "groups",
    "holm",
    "incumbent",
    "interval",
    "mean_ranks",
    "normalised_regret",
    "probability_of_improvement",
    "ranks",
    "ratio_profile",
    "representative",
    "score_profile",
    "seeds_needed",
    "speedup",
    "star_discrepancies",
    "star_discrepancy",
    "wilcoxon",
]
