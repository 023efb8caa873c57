"""Published numbers, computed again from the data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from maquette.bench import files
from maquette.bench.tasks import regmix, steplaw
from tests.services import needs

pytestmark = needs("data")


@needs("pyarrow")
@pytest.mark.parametrize(
    ("method", "published"),
    [("TPE", 0.9768), ("CMA-ES", 0.9785), ("SMAC", 0.9778), ("Random", 0.9873)],
)
def test_autoresearch_means_of_the_best_of_three_runs(method: str, published: float) -> None:
    table = files.columns("autoresearch_trials/trials.parquet", "autoresearch")
    good = (table["method"] == method) & table["success"].astype(bool)
    bests = [table["val_bpb"][good & (table["seed"] == seed)].min() for seed in range(3)]
    assert np.mean(bests) == pytest.approx(published, abs=5e-5)


def test_step_law_lands_0_098_percent_above_the_optimum() -> None:
    """The law with the means of its bootstrap, at the nearest training of each of the 17 cells."""
    excess = []
    for (N, D), cell in steplaw.cells().items():
        lr = np.exp(0.586) * N**-0.7129 * D**0.3075
        bs = np.exp(-0.5435) * D**0.5709 / 2048
        excess.append(cell.losses[cell.nearest(np.array([[lr, bs]]))[0]] / cell.losses.min() - 1)
    assert len(excess) == 17
    assert 100 * np.mean(excess) == pytest.approx(0.098, abs=5e-4)


def test_regmix_ranks_of_1m_hold_at_60m() -> None:
    small, large = (regmix.runs("test", size) for size in ("1m", "60m"))
    assert np.array_equal(small[0], large[0])
    assert spearmanr(small[1], large[1]).statistic == pytest.approx(0.994, abs=5e-4)
