"""Build a user's model at several scales, on the meta device, and check the result."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn

from maquette.errors import PlanError, nearest

Builder = Callable[..., nn.Module]
Point = Mapping[str, float]
BUDGET = ("batch", "tokens")  # axes of a run that the model does not know of


@final
@dataclass(frozen=True, slots=True)
class Scales:
    """Base and target of a plan, checked.

    Parameters
    ----------
    base, target
        Arguments of the builder: ``width``, perhaps ``depth``, and others it takes.
    """

    base: dict[str, int]
    target: dict[str, int]

    @property
    def depth_ratio(self) -> float:
        """m_L."""
        return self.target["depth"] / self.base["depth"] if "depth" in self.base else 1.0

    def at(self, **changes: int) -> dict[str, int]:
        """Return the base's arguments with some changed."""
        return {**self.base, **changes}


def scales(build: Builder, base: Point, target: Point) -> Scales:
    """Check two points against the builder's signature; report every problem at once."""
    _check_kinds(build, base, target)
    problems = []
    accepted = _parameters(build)
    for where, point in (("base", base), ("target", target)):
        for name, value in point.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not value > 0 or (name not in BUDGET and value != int(value)):
                kind = "a positive number" if name in BUDGET else "a positive whole number"
                problems.append(f"{where}: {name}={value!r} is not {kind}")
            if accepted is not None and name not in accepted and name not in BUDGET:
                problems.append(
                    f"{where}: build has no parameter {name!r}.{nearest(name, accepted)}"
                )
    if "width" not in base:
        problems.append(f"base names no width.{nearest('width', base)}")
    for name in target:
        if name not in base and name not in BUDGET:
            problems.append(f"target names {name!r}, which base does not")
    if problems:
        raise PlanError(problems, hint="plan(build, base=dict(width=64), target=dict(width=1024))")
    model = {k: int(v) for k, v in base.items() if k not in BUDGET}
    return Scales(model, {k: int(target.get(k, v)) for k, v in model.items()})


def _check_kinds(build: object, base: object, target: object) -> None:
    problems = [
        f"{where} is a mapping of the builder's arguments, not {value!r}"
        for where, value in (("base", base), ("target", target))
        if not isinstance(value, Mapping)
    ]
    if isinstance(build, nn.Module):
        problems.append("build is a function that returns a model, not a model: lambda width: ...")
    elif not callable(build):
        problems.append(f"build is a function that returns a model, not {build!r}")
    if problems:
        raise PlanError(problems, hint="plan(build, base=dict(width=64), target=dict(width=1024))")


def _parameters(build: Builder) -> list[str] | None:
    """Names that the builder takes, or ``None`` if it takes any or cannot be inspected."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return [p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY]


@contextmanager
def same_random_state() -> Iterator[None]:
    """Leave the caller's random numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        yield


def build_at(build: Builder, point: Mapping[str, int], device: str = "meta") -> nn.Module:
    """Build on a device, without touching the caller's random state.

    Raises
    ------
    PlanError
        The builder fails, returns something else than a module, or leaves parameters lazy.
    """
    text = ", ".join(f"{k}={v}" for k, v in point.items())
    try:
        with same_random_state(), torch.device(device):
            model = build(**point)
    except Exception as error:
        raise PlanError(
            f"build({text}) failed on the {device} device: {type(error).__name__}: {error}",
            hint="if the model builds there otherwise: build must work under "
            "`with torch.device('meta')`, so create tensors by torch functions, and move the "
            "reading of values, files and weights out of it",
        ) from error
    if not isinstance(model, nn.Module):
        raise PlanError(f"build({text}) returned {type(model).__name__}, not a torch.nn.Module")
    lazy = [n for n, p in model.named_parameters() if nn.parameter.is_lazy(p)]
    if lazy:
        raise PlanError(
            f"build({text}) leaves {', '.join(lazy[:4])} without a shape (lazy modules)",
            hint="give the sizes in build, or run one batch through the model before it returns",
        )
    return model


def shapes(build: Builder, point: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters by name, shared ones under their first name."""
    return {n: tuple(p.shape) for n, p in build_at(build, point).named_parameters()}


def same_names(first: Mapping[str, Any], second: Mapping[str, Any], what: str, other: str) -> None:
    """Check that two builds differ in shapes alone."""
    missing = [n for n in first if n not in second]
    extra = [n for n in second if n not in first]
    if missing or extra:
        shown = ", ".join((missing + extra)[:6])
        raise PlanError(
            f"build gives other parameters at {what} than at {other}: {shown}",
            hint="names must not depend on the width; a layer that exists at one width only has to "
            "exist at both",
        )
