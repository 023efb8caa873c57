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
    return np.random.default_rng(_sequence(seed, *path))


def derived_seed(seed: int, *path: int) -> int:
    """Return a 31-bit seed for one place, fit for any library's seeding function."""
    return int(_sequence(seed, *path).generate_state(1)[0] >> 1)


def _sequence(*entropy: int) -> np.random.SeedSequence:
    """Seed with integers; numpy would make the same array of those of 32 bits, more slowly."""
    if min(entropy) >= 0 and max(entropy) < 2**32:
        return np.random.SeedSequence(np.array(entropy, dtype=np.uint32))
    return np.random.SeedSequence(entropy)
