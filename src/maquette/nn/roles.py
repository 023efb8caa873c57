"""What each parameter is to the model: embedding, hidden, readout, vector, scalar, or tied.

Built at two widths, the model shows which dimensions of a parameter grow; traced once, it shows
over which of them the parameter is summed. A matrix that sums over a growing dimension is *hidden*
if another one grows too and a *readout* if none does; one that only its output grows is an
*embedding*, looked up or multiplied. A *vector* has one growing dimension and is used element by
element; a *scalar*, of whatever shape, has none. A matrix that is both looked up and multiplied is
*tied*. Inside a residual branch, what would be a readout is a *router*; the first of a pair of
low-rank factors counts as hidden (`maquette.nn.refine`).
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

from torch import nn

from maquette.errors import PlanError, nearest
from maquette.nn.build import Builder, Scales, build_at, same_names, shapes
from maquette.nn.example import Example, trace_once
from maquette.nn.layers import Layers, layers
from maquette.nn.refine import norms_before, refined
from maquette.nn.residual import Branch, branches
from maquette.nn.trace import Trace, Use
from maquette.scaling.parametrization import ROLES, Role


@final
@dataclass(frozen=True, slots=True)
class ParameterRole:
    """One parameter of the model.

    Parameters
    ----------
    name
        As in ``model.named_parameters()``; shared parameters under the first name.
    role
        See the module.
    shape
        At the target.
    fan_in, fan_out
        Target over base: the dimensions that are summed over, and the others.
    experts
        Target over base: the dimension that independent matrices are stacked along.
    start
        Shape at the base.
    aliases
        Other names of the same storage.
    why
        One sentence.
    """

    name: str
    role: Role
    shape: tuple[int, ...]
    fan_in: float
    fan_out: float
    aliases: tuple[str, ...]
    why: str
    experts: float = 1.0
    start: tuple[int, ...] = ()

    @property
    def width(self) -> float:
        """m_N of this tensor."""
        return self.fan_in if self.role in ("hidden", "readout", "tied", "router") else self.fan_out


@final
@dataclass(frozen=True, slots=True)
class Anatomy:
    """Roles at the target, and residual branches at the base's and the target's depth."""

    parameters: dict[str, ParameterRole]
    base_branches: list[Branch]
    branches: list[Branch]
    layers: Layers  # which parameters come again with every layer
    uses: Mapping[str, int]  # how often the forward pass consumed each parameter
    before: Mapping[str, frozenset[str]]  # the norm before a tied matrix, if it is its alone


def anatomy(
    build: Builder,
    scales: Scales,
    example: Example | None = None,
    overrides: Mapping[str, Role] | None = None,
) -> Anatomy:
    """Infer the role of every parameter.

    Parameters
    ----------
    build
        The user's function.
    scales
        Base and target.
    example
        Input of one forward pass.
    overrides
        Roles by glob pattern of the name; they win over what is inferred.

    Raises
    ------
    PlanError
        The builder ignores the width, names depend on it, or a parameter's role cannot be told.
    """
    deep = scales.at(**{"depth": scales.target["depth"]} if "depth" in scales.base else {})
    base, target = shapes(build, deep), shapes(build, scales.target)
    probe = target
    if deep == scales.target or scales.target["width"] == scales.base["width"]:
        probe = shapes(build, {**deep, "width": 2 * deep["width"]})
    same_names(base, target, "the base", "the target")
    same_names(base, probe, "one width", "another")
    grows = {n: frozenset(i for i, d in enumerate(s) if d != probe[n][i]) for n, s in base.items()}
    if not any(grows.values()):
        raise PlanError(
            "no parameter changes its shape with the width: build ignores it",
            hint="build(width=...) must pass the width on to the layers",
        )
    by_experts = _by_experts(build, scales, deep, base)
    chosen = _overrides(overrides or {}, list(base))
    model, trace = _traced(build, deep, example)
    roles, problems = {}, []
    aliases = _aliases(model)
    for name, shape in base.items():
        uses = trace.uses.get(name, []) or _untraced(model, name)
        role, axes, why = _role(shape, grows[name], uses)
        if name in trace.ambiguous and role in ("hidden", "readout", "embedding"):
            role, why = None, trace.ambiguous[name]
        if name in chosen:
            role, why = chosen[name], f"as told; {why}"
            axes = axes or frozenset({len(shape) - 1})
            if role == "embedding" and axes >= grows[name]:
                axes = axes - grows[name]  # as an embedding its width is its output
        if role is None:
            problems.append(f"{name} {shape}: {why}")
            continue
        ratio = [t / b for t, b in zip(target[name], shape, strict=True)]
        stacked = by_experts[name].union(*(u.stacked for u in uses)) - axes
        roles[name] = ParameterRole(
            name=name,
            role=role,
            shape=target[name],
            fan_in=math.prod(r for i, r in enumerate(ratio) if i in axes),
            fan_out=math.prod(r for i, r in enumerate(ratio) if i not in axes | stacked),
            aliases=aliases.get(name, ()),
            why=why,
            experts=math.prod(r for i, r in enumerate(ratio) if i in stacked),
            start=shape,
        )
    if problems:
        raise PlanError(
            problems, hint='say what they are: roles={"pattern*": "hidden"}, one of ' + str(ROLES)
        )
    told = {n: r.role for n, r in roles.items() if n not in chosen}
    for name, (role, more) in refined(told, trace).items():
        roles[name] = replace(roles[name], role=role, why=f"{roles[name].why}; {more}")
    return _with_depth(build, scales, example, trace, roles)


def _by_experts(
    build: Builder,
    scales: Scales,
    deep: Mapping[str, int],
    base: Mapping[str, tuple[int, ...]],
) -> dict[str, frozenset[int]]:
    """Dimensions of stacked matrices that grow with the number of experts, where it changes."""
    few, many = scales.base.get("experts"), scales.target.get("experts")
    none = frozenset[int]()
    if few is None or many is None or few == many:
        return dict.fromkeys(base, none)
    more = shapes(build, {**deep, "experts": many})
    return {
        n: frozenset(i for i, d in enumerate(s) if d != more.get(n, s)[i]) if len(s) > 2 else none
        for n, s in base.items()
    }


def _with_depth(
    build: Builder,
    scales: Scales,
    example: Example | None,
    trace: Trace,
    roles: dict[str, ParameterRole],
) -> Anatomy:
    """Add the residual branches at both depths, and what repeats with depth."""
    found, uses = branches(trace), {name: len(u) for name, u in trace.uses.items()}
    before = {n: norms_before(trace, n) for n, r in roles.items() if r.role == "tied"}
    if scales.depth_ratio == 1:
        return Anatomy(roles, found, found, Layers(), uses, before)
    model, shallow = _traced(build, scales.base, example)
    few, many = {name for name, _ in model.named_parameters()}, set(roles)
    if few == many:
        raise PlanError(
            "no parameter comes or goes with the depth: build ignores it",
            hint="build(depth=...) must decide the number of layers, each with its own parameters",
        )
    return Anatomy(roles, branches(shallow), found, layers(few, many), uses, before)


def _traced(
    build: Builder, point: Mapping[str, int], example: Example | None
) -> tuple[nn.Module, Trace]:
    """Trace on the meta device; a forward pass that reads values is run for real at the base."""
    model = build_at(build, point)
    try:
        return model, trace_once(model, example)
    except PlanError as error:
        if error.__cause__ is None:
            raise
    real = build_at(build, point, "cpu")
    return real, trace_once(real, example)


def _aliases(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Other names of each shared parameter, by its first name."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return {first: tuple(rest) for first, *rest in names.values() if rest}


def _overrides(patterns: Mapping[str, Role], names: list[str]) -> dict[str, Role]:
    """Roles by name; later patterns win."""
    if not isinstance(patterns, Mapping):
        raise PlanError(
            f"roles is a mapping of patterns to roles, not {patterns!r}",
            hint='roles={"router.*": "readout"}',
        )
    problems, chosen = [], {}
    for pattern, role in patterns.items():
        matched = fnmatch.filter(names, pattern)
        if not matched:
            problems.append(f"no parameter matches {pattern!r}.{nearest(pattern, names)}")
        if role not in ROLES:
            problems.append(f"{role!r} is not a role.{nearest(role, ROLES)}")
        chosen.update(dict.fromkeys(matched, role))
    if problems:
        raise PlanError(problems)
    return chosen


def _untraced(model: nn.Module, name: str) -> list[Use]:
    """What the module's type says of a parameter that the forward pass did not meet."""
    path, _, own = name.rpartition(".")
    module = model.get_submodule(path)
    if isinstance(module, nn.Embedding) and own == "weight":
        return [Use("gather", frozenset({0}), "not run; nn.Embedding")]
    if isinstance(module, nn.Linear) and own == "weight":
        return [Use("contract", frozenset({1}), "not run; nn.Linear")]
    if getattr(module, own).ndim <= 1:
        return [Use("elementwise", frozenset(), "not run")]
    return []


def _role(
    shape: tuple[int, ...], grows: frozenset[int], uses: list[Use]
) -> tuple[Role | None, frozenset[int], str]:
    """Role, contracted dimensions and the reason; no role where it cannot be told."""
    none: frozenset[int] = frozenset()
    if not uses:
        return None, none, "the forward pass did not use it and its module is not known"
    summed = none.union(*(u.axes for u in uses if u.kind == "contract"))
    looked = any(u.kind == "gather" for u in uses)
    by = ", ".join(dict.fromkeys(u.op for u in uses))
    dims = ", ".join(str(d) for d in sorted(summed))
    if not grows:
        return "scalar", none, f"no dimension grows with the width ({by})"
    if looked and summed & grows:
        return "tied", summed, f"looked up, and summed over dimension {dims} ({by})"
    if looked:
        return "embedding", none, f"a table that is looked up; its entries grow ({by})"
    if summed & grows:
        if grows - summed:
            return (
                "hidden",
                summed,
                f"sums over dimension {dims}, which grows as its output does ({by})",
            )
        return (
            "readout",
            summed,
            f"sums over dimension {dims}, which grows; its output does not ({by})",
        )
    if summed:
        return (
            "embedding",
            summed,
            f"sums over dimension {dims}, which is fixed; its output grows ({by})",
        )
    if "::" in by and sum(d > 1 for d in shape) > 1:
        return None, none, f"used by an operation that is not PyTorch's own ({by})"
    if len(grows) > 1:
        return None, none, f"two dimensions grow and none is summed over ({by})"
    if sum(d > 1 for d in shape) > 1:
        return "embedding", none, f"a table used element by element; its entries grow ({by})"
    return "vector", none, f"used element by element ({by})"
