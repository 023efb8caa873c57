"""One thread for linear algebra on small matrices.

A hundred rows are factorised faster by one thread than by several, which on a machine that is busy
training wait for each other many times longer than they compute. And a sum over several threads
depends on how many there are: with one, the same data give the same bits in every process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, with the BLAS libraries held to one thread while it runs."""

    @functools.wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return held


@functools.cache
def _controller() -> ThreadpoolController:
    """Return the libraries in use; finding them takes milliseconds, so it is done once."""
    import scipy.linalg  # noqa: F401  (brings its own BLAS, which must be there to be found)

    return ThreadpoolController()
