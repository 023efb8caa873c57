"""The input of the traced forward pass: the user's, or tokens where the model has an embedding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

from maquette.errors import PlanError
from maquette.nn.build import same_random_state
from maquette.nn.trace import Trace, Tracer

Example = Tensor | tuple[Any, ...] | Mapping[str, Any] | Callable[[nn.Module], Any]


def trace_once(model: nn.Module, example: Example | None) -> Trace:
    """Trace one forward pass in evaluation mode.

    Parameters
    ----------
    model
        On the meta device, or a real one.
    example
        A tensor, a tuple of positional or a mapping of keyword arguments, or a function of the
        model that returns one of these. ``None``: integer tokens.

    Raises
    ------
    PlanError
        No input is known, or the forward pass fails.
    """
    failure: Exception | None = None
    for args, kwargs in _candidates(model, example):
        try:
            return _trace(model, args, kwargs)
        except Exception as error:
            failure = failure or error
    if failure is None:
        raise PlanError(
            f"{type(model).__name__} has no embedding, so its input cannot be guessed",
            hint="pass example=torch.randn(2, 32), or a tuple, a dict of arguments, or a function "
            "of the model that returns one",
        )
    raise PlanError(
        f"one forward pass failed: {type(failure).__name__}: {failure}",
        hint="pass example= with an input that the model accepts at the base width",
    ) from failure


def _trace(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Trace:
    device = next(iter(model.parameters())).device
    args, kwargs = tree_map(
        lambda x: x.to(device) if isinstance(x, Tensor) else x, (args, dict(kwargs))
    )
    inputs = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
    was_training = model.training
    model.eval()  # dropout is no part of the parametrization; fused inference kernels need no_grad
    tracer = Tracer(model, inputs)
    try:
        with same_random_state(), torch.enable_grad(), torch.device(device), tracer:
            model(*args, **kwargs)
    finally:
        model.train(was_training)
    return tracer.trace


def _candidates(
    model: nn.Module, example: Example | None
) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """Arguments to try, as positional and keyword."""
    if example is None:
        tables = [m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)]
        lengths = [8, *sorted({n for n in tables if 8 < n <= 4096})] if tables else []
        for length in lengths:  # a learned position table may insist on its own length
            yield (torch.zeros(2, length, dtype=torch.long),), {}
        return
    if not isinstance(example, Tensor | tuple | Mapping):
        if not callable(example):
            raise PlanError(
                f"example is a tensor, a tuple, a mapping or a function of the model, not "
                f"{example!r}",
                hint="example=torch.randn(2, 32)",
            )
        with same_random_state():
            example = example(model)
    if isinstance(example, Mapping):
        yield (), example
    else:
        yield (tuple(example) if isinstance(example, tuple | list) else (example,)), {}
