"""Scale: the named axes along which a training run grows, from proxies to the target.

A *cell* is one point on the axes, for example ``{"width": 128, "depth": 2}``. Runs at the proxies
(small cells) are evidence about the target (the large one).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from maquette.errors import ScaleError, nearest
from maquette.number import is_positive

Cell = dict[str, float]


@final
@dataclass(frozen=True)
class Scale:
    """Axes with a base (proxy) and a target value, and the proxies at which trials run.

    Parameters
    ----------
    proxies
        Cells at which trials run; a cell may leave out axes that stay at their base value.
        None: `ladder()` chooses them between base and target.
    axes
        Name to ``(base, target)``, both positive, for example ``width=(64, 4096)``.

    Raises
    ------
    ScaleError
        If an axis or a proxy is malformed; every problem is named.
    """

    axes: tuple[tuple[str, float, float], ...]
    proxies: tuple[tuple[float, ...], ...]

    def __init__(
        self,
        proxies: Sequence[Mapping[str, float]] | None = None,
        /,
        **axes: tuple[float, float],
    ) -> None:
        object.__setattr__(self, "axes", _read_axes(axes))
        cells = self.ladder() if proxies is None else proxies
        object.__setattr__(self, "proxies", self._read_proxies(cells))

    @property
    def names(self) -> tuple[str, ...]:
        """The axes' names, in the order they were declared."""
        return tuple(name for name, _, _ in self.axes)

    @property
    def base(self) -> Cell:
        """The smallest cell."""
        return {name: low for name, low, _ in self.axes}

    @property
    def target(self) -> Cell:
        """The cell that the recipe is for."""
        return {name: high for name, _, high in self.axes}

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The proxies as mappings, cheapest (by product of ratios to the base) first."""
        rows = sorted(self.proxies, key=lambda row: (math.prod(row), row))
        return tuple(dict(zip(self.names, row, strict=True)) for row in rows)

    def ladder(self) -> list[Cell]:
        """Choose proxies: the base, each axis doubled and quadrupled alone, and all together.

        No proxy is larger on an axis than the geometric mean of base and target, so that the
        proxies stay cheap beside the target; an axis whose target equals its base never varies.
        """
        steps: dict[str, list[float]] = {}
        for name, low, high in self.axes:
            top = math.sqrt(low * high) * (1 + 1e-9)
            whole = float(low).is_integer() and float(high).is_integer()
            grown = [low * factor for factor in (2, 4) if low * factor <= top]
            if not grown and high > low:
                middle = math.sqrt(low * high)
                grown = [round(middle) if whole else middle]
            steps[name] = [g for g in grown if g > low]
        cells = [self.base]
        for name, grown in steps.items():
            cells += [{**self.base, name: value} for value in grown]
        corner = {name: (grown[-1] if grown else self.base[name]) for name, grown in steps.items()}
        return [*cells, *([corner] if corner not in cells else [])]

    def complete(self, at: Mapping[str, float]) -> Cell:
        """Fill the axes that `at` leaves out with their target value.

        Raises
        ------
        ScaleError
            If `at` names an unknown axis or holds something that is not a positive number.
        """
        return self._fill(at, self.target, "target")

    def fill(self, cell: Mapping[str, float]) -> Cell:
        """Fill the axes that a proxy leaves out with their base value; errors as `complete`."""
        return self._fill(cell, self.base, "cell")

    def _fill(self, cell: Mapping[str, float], default: Cell, what: str) -> Cell:
        problems: list[str] = []
        for name, value in cell.items():
            if name not in self.names:
                problems.append(f"{what}: unknown axis {name!r}." + nearest(name, self.names))
            elif not is_positive(value):
                problems.append(f"{what}: {name} must be a positive number, not {value!r}")
        if problems:
            raise ScaleError(problems)
        return {name: cell.get(name, default[name]) for name in self.names}

    def _read_proxies(self, cells: Sequence[Mapping[str, float]]) -> tuple[tuple[float, ...], ...]:
        if not cells:
            raise ScaleError("proxies is empty: give at least one cell, or leave it out")
        rows: list[tuple[float, ...]] = []
        problems: list[str] = []
        for i, cell in enumerate(cells, 1):
            try:
                filled = self._fill(cell, self.base, f"proxy {i}")
            except ScaleError as error:
                problems += error.problems
            else:
                rows.append(tuple(filled[name] for name in self.names))
        if problems:
            raise ScaleError(problems)
        return tuple(dict.fromkeys(rows))

    def grid(self, **values: Sequence[float]) -> list[Cell]:
        """Return the full grid over the values given; other axes stay at their base."""
        keys = list(values)
        return [
            self._fill(dict(zip(keys, row, strict=True)), self.base, "grid")
            for row in itertools.product(*values.values())
        ]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; `from_json` reads it back."""
        return {
            "axes": {name: [low, high] for name, low, high in self.axes},
            "proxies": [dict(zip(self.names, row, strict=True)) for row in self.proxies],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scale:
        """Read what `to_json` wrote."""
        return cls(data.get("proxies"), **{k: tuple(v) for k, v in data["axes"].items()})

    def __str__(self) -> str:
        """One axis a line: ``width  64 -> 4096 (64x)``."""
        rows = [f"  {n:<10} {a:g} -> {b:g}  ({b / a:g}x)" for n, a, b in self.axes]
        return "\n".join(["Scale", *rows, f"  {len(self.proxies)} proxies"])


def _read_axes(axes: Mapping[str, Any]) -> tuple[tuple[str, float, float], ...]:
    problems = [] if axes else ["a scale needs at least one axis, for example width=(64, 4096)"]
    rows = []
    for name, pair in axes.items():
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(map(is_positive, pair))):
            problems.append(
                f"axis {name!r} must be (base, target), two positive numbers, not {pair!r}"
            )
        else:
            rows.append((name, pair[0], pair[1]))
    if problems:
        raise ScaleError(problems)
    return tuple(rows)
