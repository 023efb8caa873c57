"""Which of many observations to keep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def subset(losses: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Return which of n observations to keep, ascending: all, or `most`.

    Of more the best third of `most`, and the rest evenly over time.
    """
    n = len(losses)
    if n <= most:
        return np.arange(n)
    best = np.argsort(losses, kind="stable")[: most // 3]
    rest = np.setdiff1d(np.arange(n), best)
    even = rest[np.linspace(0, len(rest) - 1, most - len(best)).round().astype(int)]
    return np.union1d(best, even)
