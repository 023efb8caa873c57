"""The combinations of a few values of each parameter of a space, conditions and all.

References
----------
.. [1] A. B. Owen. Scrambling Sobol' and Niederreiter-Xing Points. J. Complexity 14(4), 1998.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import SpaceError, StudyError
from maquette.rng import generator
from maquette.search.sobol import points
from maquette.space import Choice, Float, Parameter, Space
from maquette.space.declare import order
from maquette.space.parameter import conditions

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Level = int | Sequence[Any]

# Branches beyond this many are not counted one by one.
COUNTED = 200_000
# So many points of the sequence a combination are drawn, before the rest is shuffled.
DRAWS = 8
# Names the stream of random numbers that shuffles it.
_SHUFFLE = 1935


@final
@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Rows (n, d) of the unit cube in the order to try them, and their activity masks (n, d)."""

    rows: Array
    active: Mask


def lattice(space: Space, levels: Mapping[str, Level], most: int, seed: int) -> Lattice:
    """Return the lattice of a space.

    Parameters
    ----------
    space
        What varies.
    levels
        For each name how many values it takes, or which.
    most
        The largest number of combinations.
    seed
        Of the order.

    Raises
    ------
    StudyError
        If there are more than `most` combinations, before constraints, or none within them; or if
        a value does not fit.
    """
    at = _coordinates(space, levels)
    names = space.names
    parents = {c.parent for p in space.values() for c in conditions(p)}
    sequence = [names.index(name) for name in order(dict(space.items()))]
    rows = np.full((1, len(space)), 0.5)
    branching = [j for j in sequence if names[j] in parents]
    leaves = [j for j in sequence if names[j] not in parents]
    for j in branching:
        rows = _expanded(space, rows, j, at[j])
        if len(rows) > COUNTED:
            raise _too_many(f"more than {COUNTED:,}", space, at, most)
    active = space.project(rows)[1]
    counts = np.array([len(at[j]) for j in leaves], dtype=float)
    total = float(np.where(active[:, leaves], counts, 1.0).prod(axis=1).sum())
    if total > most:
        raise _too_many(f"{total:,.0f}" if total < 1e15 else f"{total:.1e}", space, at, most)
    for j in leaves:
        rows = _expanded(space, rows, j, at[j])
    rows, active = space.project(rows)
    kept = space.feasible(rows)
    if not kept.any():
        raise StudyError(
            f"none of the grid's {len(rows):,} configs satisfies the constraints "
            + " and ".join(repr(c) for c in space.constraints),
            hint="give the values to try, Grid({'name': [...]}), or use searcher=\"sobol\"",
        )
    return _ordered(space, at, Lattice(rows[kept], active[kept]), seed)


def _coordinates(space: Space, levels: Mapping[str, Level]) -> list[Array]:
    """Return the coordinates that each parameter takes, ascending or as given."""
    out, problems = [], []
    for name, parameter in space.items():
        try:
            out.append(_levels(name, parameter, levels[name]))
        except SpaceError as error:
            problems += [f"the grid's values: {problem}" for problem in error.problems]
    if problems:
        raise StudyError(problems)
    return out


def _levels(name: str, parameter: Parameter, level: Level) -> Array:
    alone = Space({name: replace(parameter, when=None)})
    if not isinstance(level, int):
        column = alone.encode_many([{name: value} for value in level])[0][:, 0]
        return column[np.sort(np.unique(column, return_index=True)[1])]
    if isinstance(parameter, Choice):
        m = len(parameter.values)
        return np.asarray((np.arange(m) + 0.5) / m)
    if level == 1 or parameter.low == parameter.high:
        return alone.encode(alone.defaults())[0]
    if isinstance(parameter, Float):
        return np.linspace(0.0, 1.0, level)
    low, high = alone.project(np.array([[0.0], [1.0]]))[0][:, 0]
    return np.unique(alone.project(np.linspace(low, high, level)[:, None])[0][:, 0])


def _expanded(space: Space, rows: Array, j: int, at: Array) -> Array:
    """Return the rows with every value of the j-th parameter, where it exists."""
    active = space.project(rows)[1][:, j]
    more = np.repeat(rows[active], len(at), axis=0)
    more[:, j] = np.tile(at, int(active.sum()))
    return np.concatenate([rows[~active], more])


def _ordered(space: Space, at: Sequence[Array], found: Lattice, seed: int) -> Lattice:
    """Return the lattice in the order in which a Sobol sequence comes upon its points [1]."""
    n, d = found.rows.shape
    drawn = points(d, seed, 0, DRAWS * n)
    default = space.encode(space.defaults())[0]
    near = np.stack([a[np.argmin(np.abs(a - default[j]))] for j, a in enumerate(at)])
    cells = np.stack(
        [a[np.minimum((drawn[:, j] * len(a)).astype(int), len(a) - 1)] for j, a in enumerate(at)],
        axis=1,
    )
    rows, active = space.project(np.concatenate([near[None], cells]))
    met = {key: i for i, key in reversed(list(enumerate(_keys(rows, active))))}
    never = len(rows) + generator(seed, _SHUFFLE).permutation(n)
    keys = _keys(found.rows, found.active)
    first = [met.get(key, late) for key, late in zip(keys, never.tolist(), strict=True)]
    by = np.argsort(first, kind="stable")
    return Lattice(found.rows[by], found.active[by])


def _keys(rows: Array, active: Mask) -> list[bytes]:
    return [row.tobytes() for row in np.where(active, rows, -1.0)]


def _too_many(count: str, space: Space, at: Sequence[Array], most: int) -> StudyError:
    widest = sorted(zip(at, space.names, strict=True), key=lambda pair: -len(pair[0]))[:3]
    said = ", ".join(f"{name} {len(a)}" for a, name in widest)
    return StudyError(
        f"the grid has {count} configs, more than most={most:,} ({said}, ...)",
        hint='take fewer values, such as Grid(levels=2) or Grid({"lr": 5, "layers": [2, 4]}); '
        'searcher="sobol" spreads any number of trials evenly, without a grid',
    )
