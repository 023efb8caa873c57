"""What earlier studies measured, as far as it can be said in the words of the present space.

A `Past` is a list of configs, in the names and units of the present study's parameters, and the
loss of each; `aligned` places them in a space. Losses of two studies are not comparable, so only
their order within a past is ever used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import SpaceError
from maquette.space import Choice, Config, Float, Int, Scalar, Space

# A number outside the present range is placed outside the unit interval, by at most one range.
OUTSIDE = 1.0


@final
@dataclass(frozen=True, slots=True)
class Past:
    """Finished trials of an earlier study.

    Parameters
    ----------
    name
        What it is called, where it is spoken of.
    configs
        Parameter to value, for those parameters that the present study has too.
    losses
        Their losses, finite; smaller is better.
    """

    name: str
    configs: tuple[Mapping[str, Scalar], ...] = field(compare=False)
    losses: tuple[float, ...] = field(compare=False)
    _identity: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = json.dumps([[dict(c) for c in self.configs], self.losses])
        object.__setattr__(self, "_identity", sha256(text.encode()).hexdigest())

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping, by columns; `from_json` reads it back."""
        names = list(dict.fromkeys(name for config in self.configs for name in config))
        values: dict[str, list[Any]] = {
            name: [c.get(name, {}) for c in self.configs] for name in names
        }
        return {"name": self.name, "values": values, "losses": list(self.losses)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Past:
        """Read what `to_json` wrote."""
        columns = data["values"]
        configs = tuple(
            {name: v[i] for name, v in columns.items() if v[i] != {}}
            for i in range(len(data["losses"]))
        )
        return cls(data["name"], configs, tuple(data["losses"]))


@final
@dataclass(frozen=True, slots=True)
class Aligned:
    """A past in the coordinates of a space.

    Attributes
    ----------
    X, active
        Rows (m, d) and masks; what lies outside a range is outside [0, 1], what a past does not
        know is at its default.
    losses
        Shape (m,).
    configs
        The nearest config of the space to each.
    """

    X: NDArray[np.float64]
    active: NDArray[np.bool_]
    losses: NDArray[np.float64]
    configs: tuple[Config, ...]


def aligned(past: Past, space: Space) -> Aligned:
    """Place a past in a space; trials of choices that it has not, or against it, are left out."""
    rows, masks, losses, configs = [], [], [], []
    for given, loss in zip(past.configs, past.losses, strict=True):
        placed = {n: _place(space[n], v) for n, v in given.items() if n in space}
        inside = {n: p[0] for n, p in placed.items() if p is not None}
        if len(inside) < len(placed) or not inside:
            continue
        try:
            config = space.fill(inside)
        except SpaceError:
            continue
        row, mask = space.encode(config)
        for j, name in enumerate(space.names):
            found = placed.get(name)
            if mask[j] and found is not None and found[1] is not None:
                row[j] = found[1]
        rows.append(row)
        masks.append(mask)
        losses.append(loss)
        configs.append(config)
    shape = (len(rows), space.dimensions)
    return Aligned(
        np.array(rows, dtype=np.float64).reshape(shape),
        np.array(masks, dtype=bool).reshape(shape),
        np.array(losses, dtype=np.float64),
        tuple(configs),
    )


def _place(parameter: Float | Int | Choice, value: Any) -> tuple[Scalar, float | None] | None:
    """Return the nearest value of a parameter, and for a number its coordinate; None: no value."""
    if isinstance(parameter, Choice):
        text = _text(value)
        found = next((v for v in parameter.values if _text(v) == text), parameter)
        return None if found is parameter else (found, None)  # type: ignore[return-value]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    half = 0.5 if isinstance(parameter, Int) else 0.0
    a, b, x = parameter.low - half, parameter.high + half, float(value)
    if parameter.log:
        if x <= 0.0:
            return None
        a, b, x = math.log(a), math.log(b), math.log(x)
    u = (x - a) / (b - a) if b > a else 0.5
    nearest: float = min(max(value, parameter.low), parameter.high)
    if isinstance(parameter, Int):
        nearest = round(nearest)
    return nearest, min(max(u, -OUTSIDE), 1.0 + OUTSIDE)


def _text(value: Any) -> str:
    """Return what two choice values share if they are one: 1 and 1.0, true and True."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip().lower()
