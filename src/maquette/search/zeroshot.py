"""Zero-shot portfolios: a few configs of which one does well on any task, from earlier tasks.

Greedily, the next member is the config that lowers the mean over tasks of the portfolio's rank most
[1]: with R the ranks of configs (tasks, configs) and S the members so far,

    c = argmin_c mean_i min(min_(s in S) R_is, R_ic),

until no config lowers it. The gain is submodular, so that t members gain at least 1 - 1/e of what
the best t would [2].

References
----------
.. [1] D. Salinas and N. Erickson. TabRepo: A Large Scale Repository of Tabular Model Evaluations
       and its AutoML Applications. AutoML 2024.
.. [2] G. L. Nemhauser, L. A. Wolsey and M. L. Fisher. An Analysis of Approximations for Maximizing
       Submodular Set Functions. Mathematical Programming 14, 1978.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from maquette.past import Past, aligned
from maquette.scale import Scale
from maquette.space import Config, Space
from maquette.surrogate.carried import at_base, past_models

Array = NDArray[np.float64]

# Of each past so many of its best configs are candidates.
BEST = 30


def greedy(errors: Array, size: int) -> list[int]:
    """Return the columns of errors (tasks, configs), at most `size`, that make the portfolio.

    Only the order of configs within a task matters. Ties go to the first config.
    """
    from scipy.stats import rankdata

    rank = np.asarray(rankdata(errors, axis=1), dtype=float)
    chosen: list[int] = []
    reached = np.full(len(rank), np.inf)
    while len(chosen) < size and rank.size:
        mean = np.minimum(rank, reached[:, None]).mean(axis=0)
        best = int(np.argmin(mean))
        if not mean[best] < reached.mean():
            break
        chosen.append(best)
        reached = np.minimum(reached, rank[:, best])
    return chosen


@lru_cache(maxsize=16)
def zero_shot(
    space: Space, scale: Scale | None, pasts: tuple[Past, ...], size: int
) -> tuple[Config, ...]:
    """Return the portfolio of pasts in a space, best first; empty where they do not speak of it.

    Pasts need not have measured the same configs: each ranks the others' by its model.
    """
    models = past_models(space, scale, pasts)
    if not models:
        return ()
    by_key: dict[str, Config] = {}
    for past in pasts:
        known = aligned(past, space)
        for i in np.argsort(known.losses, kind="stable")[:BEST]:
            by_key.setdefault(space.key(known.configs[i]), known.configs[i])
    configs = list(by_key.values())
    points = at_base(space, scale, *space.encode_many(configs))
    errors = np.stack([model.mean(points) for model in models])
    return tuple(configs[i] for i in greedy(errors, size))
