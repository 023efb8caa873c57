"""Differential evolution under successive halving, on noisy counting ones (as DEHB is tested)."""

from __future__ import annotations

import numpy as np
import pytest

from maquette.fidelity import Duration
from maquette.history import Problem
from maquette.objective import Objective
from maquette.rng import generator
from maquette.schedule import ASHA
from maquette.search import DE, Random
from maquette.space import Choice, Float, Space
from tests.schedule.simulator import simulate

BITS = Space(
    {**{f"b{i}": Choice([0, 1]) for i in range(8)}, **{f"x{i}": Float(0, 1) for i in range(8)}}
)


def counted(config, t, job):
    """Share of zeros; numbers are counted by draws, nine a unit of time."""
    n, rng = int(9 * t), generator(5, job.trial, int(9 * t))
    ones = sum(config[f"b{i}"] for i in range(8))
    return 1 - (ones + sum(rng.binomial(n, config[f"x{i}"]) / n for i in range(8))) / 16


def regret(searcher, seed):
    problem = Problem(BITS, Objective("loss"), Duration.parse({"t": (1, 81)}), seed=seed)
    script = simulate(
        problem, ASHA(mode="promote"), searcher, counted, workers=4, epochs=2000
    ).script
    best = min((t for t in script.history.trials if np.isfinite(t.loss)), key=lambda t: t.loss)
    return 1 - sum(best.config.values()) / 16


@pytest.mark.slow
def test_it_beats_halving_at_random():
    pairs = [(regret(DE(), seed), regret(Random(), seed)) for seed in range(3)]
    assert all(ours < theirs for ours, theirs in pairs)
