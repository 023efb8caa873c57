"""Random generators keyed by place, never shared: same seed, same place, same numbers."""

from __future__ import annotations

import numpy as np


def generator(seed: int, *path: int) -> np.random.Generator:
    """Return the generator of one place in a study, for example (study seed, event number).

    Parameters
    ----------
    seed
        The study's seed.
    path
        Non-negative integers that name the place.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, *path]))


def derived_seed(seed: int, *path: int) -> int:
    """Return a 31-bit seed for one place, fit for any library's seeding function."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0] >> 1)
