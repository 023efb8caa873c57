"""Random spaces and configs, for properties that hold in every space.

`spaces()` draws conditional, mixed spaces; `spaces_and_configs()` draws a space and some of its
configs. Other suites may import both.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from maquette.space import Choice, Float, Int, Parameter, Space

NAMES = ["lr", "wd", "layers", "width", "optimizer", "momentum", "lr/head", "β", "warm up", "x.y"]

_ends = st.floats(-1e6, 1e6).map(lambda x: float(f"{x:.6g}") + 0.0)
_positive = st.floats(-9, 9).map(lambda e: float(f"{10**e:.6g}"))
_scalars = st.one_of(
    st.text("abé'\"\\\n .=|{", max_size=4),
    st.integers(-9, 9),
    st.booleans(),
    st.none(),
    _ends.filter(bool),
)


@st.composite
def floats(draw: st.DrawFn, when: dict | None = None) -> Float:
    log = draw(st.booleans())
    low, high = sorted(draw(st.tuples(*2 * [_positive if log else _ends])))
    prior = None
    if high > low and draw(st.booleans()):
        prior = ((low * high) ** 0.5, 3.0) if log else (low, (high - low) / 3 or 1.0)
    default = draw(st.sampled_from([None, low, high]))
    if prior is not None:
        prior = (min(max(prior[0], low), high), prior[1])
    return Float(low, high, log=log, default=default, prior=prior, when=when)


@st.composite
def ints(draw: st.DrawFn, when: dict | None = None) -> Int:
    log = draw(st.booleans())
    low = draw(st.integers(1, 10**6) if log else st.integers(-(10**6), 10**6))
    high = low + draw(st.integers(0, 5) | st.integers(0, 10**12))
    default = draw(st.sampled_from([None, low, high]))
    prior = (low, 2) if draw(st.booleans()) else None
    return Int(low, high, log=log, default=default, prior=prior, when=when)


@st.composite
def choices(draw: st.DrawFn, when: dict | None = None) -> Choice:
    values = draw(
        st.lists(_scalars, min_size=1, max_size=5, unique_by=lambda v: (isinstance(v, bool), v))
    )
    options = {"default": draw(st.sampled_from(values))} if draw(st.booleans()) else {}
    prior = [1.0 + i for i in range(len(values))] if draw(st.booleans()) else None
    return Choice(values, prior=prior, when=when, **options)


@st.composite
def _conditions(draw: st.DrawFn, placed: dict[str, Parameter]) -> dict | None:
    if not placed or draw(st.booleans()):
        return None
    when = {}
    for name in draw(st.lists(st.sampled_from(list(placed)), min_size=1, max_size=2, unique=True)):
        parent = placed[name]
        if isinstance(parent, Choice):
            count = draw(st.integers(1, len(parent.values)))
            when[name] = list(parent.values[:count]) if count > 1 else parent.values[0]
        elif draw(st.booleans()):
            when[name] = (parent.low, (parent.low + parent.high) / 2)
        else:
            when[name] = [parent.low, parent.high] if parent.low < parent.high else parent.low
    return when


@st.composite
def spaces(draw: st.DrawFn, max_size: int = 6, constrained: bool = True) -> Space:
    """Draw a space of up to `max_size` parameters, in an order that mixes parents and children."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=max_size, unique=True))
    placed: dict[str, Parameter] = {}
    for name in names:
        kind = draw(st.sampled_from([floats, ints, choices]))
        placed[name] = draw(kind(when=draw(_conditions(placed))))
    numeric = [n for n, p in placed.items() if not isinstance(p, Choice) and p.high > p.low]
    constraints = []
    if constrained and numeric and draw(st.booleans()):
        parameter = placed[numeric[0]]
        middle = parameter.low + 0.75 * (parameter.high - parameter.low)
        if not parameter.log and parameter.default != parameter.high:
            constraints.append(f"`{numeric[0]}` <= {middle!r}")
    order = draw(st.permutations(names))
    return Space({name: placed[name] for name in order}, constraints)


@st.composite
def spaces_and_configs(
    draw: st.DrawFn, count: int = 4, max_size: int = 6, constrained: bool = True
) -> tuple[Space, list[dict]]:
    """Draw a space and `count` of its configs."""
    space = draw(spaces(max_size, constrained))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return space, space.sample(rng, count)
