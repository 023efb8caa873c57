"""Of many observations the best are kept, and the others evenly over time."""

from __future__ import annotations

import numpy as np

from maquette.surrogate.scores import midranks
from maquette.surrogate.subset import subset


def test_the_best_third_is_kept_and_the_rest_evenly():
    losses = np.concatenate([np.arange(200.0, 100.0, -1.0), [1.0, 0.0]])
    kept = subset(losses, 30)
    assert len(kept) == 30
    assert np.all(np.diff(kept) > 0)
    assert set(np.argsort(losses)[:10]) <= set(kept)
    others = np.setdiff1d(kept, np.argsort(losses)[:10])
    assert others[0] == 0
    assert np.ptp(np.diff(others)) <= 1
    assert np.array_equal(subset(losses, 102), np.arange(102))


def test_ranks_are_shared_by_ties():
    assert midranks([3.0, 1.0, 1e9, 3.0]).tolist() == [2.0, 0.5, 3.5, 2.0]
    assert midranks([]).shape == (0,)
