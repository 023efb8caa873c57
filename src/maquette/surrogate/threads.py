"""One thread for linear algebra on small matrices.

A hundred rows are factorised faster by one thread than by several, which on a machine that is busy
training wait for each other many times longer than they compute. And a sum over several threads
depends on how many there are: with one, the same data give the same bits in every process.

threadpoolctl does the holding where it is installed (the extra ``threads``); without it the number
of threads is the environment's (OPENBLAS_NUM_THREADS).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, with the BLAS libraries held to one thread while it runs."""

    @functools.wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> R:
        with _one_thread():
            return function(*args, **kwargs)

    return held


def _one_thread() -> AbstractContextManager[Any]:
    controller = _controller()
    if controller is None:
        return nullcontext()
    limited: AbstractContextManager[Any] = controller.limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _controller() -> Any:
    """Return the libraries in use, or None; finding them takes milliseconds, so it is done once."""
    import scipy.linalg  # noqa: F401  (brings its own BLAS, which must be there to be found)

    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()
