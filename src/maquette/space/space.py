"""Space: what may vary, and the map between configs and rows of numbers."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from maquette.errors import SpaceError, nearest
from maquette.space import codec as coding
from maquette.space import columns, declare, prior, serial, table, versions
from maquette.space import config as checking
from maquette.space import hull as hulls
from maquette.space.codec import Array, Codec, Mask
from maquette.space.parameter import Config, GivenConfig, GivenParameters, GivenTexts, Parameter
from maquette.space.region import Region


@final
@dataclass(frozen=True, eq=False, repr=False)
class Space:
    """Named parameters, with conditions among them and constraints over several.

    Immutable, and read like a mapping from names to parameters; their order is the order of the
    columns, and part of a space's identity. A *config* is a mapping that holds the active
    parameters: those whose conditions all hold. A *row* is a config as d coordinates in [0, 1],
    one per parameter, beside a mask of the active ones (see `maquette.space.codec`).

    Parameters
    ----------
    parameters
        Name to `Float`, `Int` or `Choice`; or another space.
    constraints
        Texts such as ``"warmup + decay <= 1"`` or ``"layers * width <= 4096"``: names, numbers,
        ``+ - * / **``, comparisons, ``and or not``, ``min max log abs``. A constraint over an
        inactive parameter holds.

    Raises
    ------
    SpaceError
        If anything is malformed; every problem is named.
    """

    constraints: tuple[str, ...]
    _parameters: dict[str, Parameter] = field(init=False)
    _codec: Codec = field(init=False)
    _region: Region = field(init=False)
    _identity: str = field(init=False)

    def __init__(self, parameters: GivenParameters, constraints: GivenTexts = ()) -> None:
        declared, parsed, problems = declare.read(parameters, constraints)
        if problems:
            raise SpaceError(problems)
        codec = coding.build(declared)
        region = Region(codec, parsed, coding.default_values(codec))
        defaults = columns.configs(region.default[None], codec)[0]
        problems = checking.default_problems(defaults, declared, region)
        if problems:
            raise SpaceError(problems)
        object.__setattr__(self, "constraints", tuple(c.text for c in parsed))
        object.__setattr__(self, "_parameters", declared)
        object.__setattr__(self, "_codec", codec)
        object.__setattr__(self, "_region", region)
        object.__setattr__(self, "_identity", serial.canonical(self.to_json()))

    # --- a mapping of parameters ---

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def __getitem__(self, name: str) -> Parameter:
        if name not in self._parameters:
            raise KeyError(f"unknown parameter {name!r}." + nearest(name, self._parameters))
        return self._parameters[name]

    def keys(self) -> KeysView[str]:
        """Return the parameters' names."""
        return self._parameters.keys()

    def values(self) -> ValuesView[Parameter]:
        """Return the parameters."""
        return self._parameters.values()

    def items(self) -> ItemsView[str, Parameter]:
        """Return the names and their parameters."""
        return self._parameters.items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    # --- what models ask ---

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order of the columns."""
        return tuple(self._parameters)

    @property
    def dimensions(self) -> int:
        """Number of columns d, one per parameter."""
        return len(self._parameters)

    @property
    def is_categorical(self) -> Mask:
        """Which columns are choices, shape (d,)."""
        return self._codec.is_choice.copy()

    @property
    def is_log(self) -> Mask:
        """Which columns are in log scale, shape (d,)."""
        return np.array([coding.is_log(p) for p in self.values()], dtype=bool)

    @property
    def cardinality(self) -> NDArray[np.int64]:
        """Number of values of each column, 0 for a Float, shape (d,)."""
        counts = np.where(self._codec.is_float, 0.0, self._codec.high - self._codec.low + 1)
        return counts.astype(np.int64)

    def activity(self, config: GivenConfig) -> Mask:
        """Return which parameters are active in a config, shape (d,)."""
        return self.encode(config)[1]

    # --- configs and rows ---

    def encode(self, config: GivenConfig) -> tuple[Array, Mask]:
        """Return the row (d,) in [0, 1] of a config, and the mask (d,) of active parameters.

        An inactive parameter stands at its default's coordinate.

        Raises
        ------
        SpaceError
            If an active parameter is missing or does not fit. Inactive and unknown parameters
            are passed over; `check` is the strict reading.
        """
        rows, masks = self.encode_many([config])
        return rows[0], masks[0]

    def encode_many(self, configs: Sequence[GivenConfig]) -> tuple[Array, Mask]:
        """Encode n configs at once: rows (n, d) and masks (n, d)."""
        coded = columns.gather(configs, self._parameters)
        active = self._codec.active(coded)
        fits = (coded >= self._codec.low) & (coded <= self._codec.high)
        fits &= ~self._codec.is_int | (coded == np.floor(coded))
        for i in np.flatnonzero((active & ~fits).any(axis=1)).tolist():
            self.normalise(configs[i])  # raises, and says why
        return self._codec.to_unit(np.where(active, coded, self._region.default)), active

    def decode(self, row: NDArray[Any], mask: NDArray[Any] | None = None) -> Config:
        """Return the config at a row (d,); the inverse of `encode`.

        Choices and integers return exactly, floats to 1e-12. Coordinates are clipped to [0, 1].
        What is active follows from the values, so that `mask` is not needed. A row outside the
        constraints is moved on the line to the default config, to the first point within them.
        """
        del mask
        return self.from_unit(np.asarray(row)[None])[0]

    def from_unit(self, unit: NDArray[Any]) -> list[Config]:
        """Map rows (n, d) of [0, 1]^d, uniform or low-discrepancy, to n configs.

        Equal volumes go to equal lengths of each (log) scale. As in `decode`, rows outside the
        constraints are moved into them; `feasible` tells which, for a caller that skips them.
        """
        return columns.configs(self._region.enter(self._points(unit)), self._codec)

    def sample(self, rng: Generator, n: int = 1) -> list[Config]:
        """Draw n configs from the priors; uniform in the (log) scale where there is none.

        Raises
        ------
        SpaceError
            If the constraints leave (nearly) nothing.
        """
        return columns.configs(self._region.draw(rng, n), self._codec)

    def project(self, unit: NDArray[Any]) -> tuple[Array, Mask]:
        """Return what `encode` would give for the configs at rows (n, d), constraints aside.

        Integers and choices snap to their cells' points; inactive columns to their default.
        """
        coded = self._codec.to_values(self._points(unit))
        active = self._codec.active(coded)
        return self._codec.to_unit(np.where(active, coded, self._region.default)), active

    def feasible(self, unit: NDArray[Any]) -> Mask:
        """Return which rows (n, d) of [0, 1]^d satisfy the constraints, shape (n,)."""
        points = self._points(unit)
        if not self._region.constraints:
            return np.ones(len(points), dtype=bool)
        return self._region.allowed(self._region.settle(points))

    def log_prior(self, unit: NDArray[Any]) -> Array:
        """Log density of the priors at rows (n, d), relative to the uniform measure, shape (n, d).

        Zero where a parameter has no prior; add up the active columns.
        """
        return prior.log_density(self._codec, self._points(unit))

    def at_prior(self, unit: NDArray[Any]) -> Array:
        """Carry uniform rows (n, d) to rows that follow the priors, by their quantiles."""
        return prior.to_prior(self._codec, self._points(unit))

    def defaults(self) -> Config:
        """Return the default config: declared defaults, the middle elsewhere, the first choice.

        Where that violates the constraints, the nearest feasible config on a line from it.
        """
        default = self._region.default[None]
        if not self._region.allowed(default)[0]:
            default = self._region.enter(self._codec.to_unit(default))
        return columns.configs(default, self._codec)[0]

    # --- checking ---

    def check(self, config: GivenConfig) -> None:
        """Raise unless a config belongs here.

        Raises
        ------
        SpaceError
            Naming every problem: unknown, missing and inactive parameters, wrong types, values
            out of range, violated constraints.
        """
        self._judge(config, strict=True)

    def normalise(self, config: GivenConfig) -> Config:
        """Return a config in its own types and order, without its inactive parameters.

        4.0 becomes 4 for an Int; numpy scalars become Python's.

        Raises
        ------
        SpaceError
            As `check`, except that inactive parameters are dropped.
        """
        return self._judge(config, strict=False)

    def fill(self, config: GivenConfig) -> Config:
        """Complete a partial config by defaults, and return it as `normalise` does.

        Raises
        ------
        SpaceError
            As `normalise`.
        """
        return self._judge({**self._spare(), **config}, strict=False)

    def key(self, config: GivenConfig) -> str:
        """Return a line of text that equal configs share, in every process.

        Independent of order, of inactive parameters, and of 4.0 against 4; floats go by 13 digits.

        Raises
        ------
        SpaceError
            As `normalise`.
        """
        return checking.key(self.normalise(config))

    # --- texts ---

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; `from_json` reads it back."""
        tables = {name: serial.table(p) for name, p in self.items()}
        return {"parameters": tables, "constraints": list(self.constraints)}

    @classmethod
    def from_json(cls, data: GivenConfig) -> Space:
        """Read what `to_json` wrote.

        Raises
        ------
        SpaceError
            Naming every problem.
        """
        if not isinstance(data, Mapping) or "parameters" not in data:
            raise SpaceError(f"a space in JSON is an object with 'parameters', not {data!r}")
        return cls._from_tables(data["parameters"], data.get("constraints", ()), "")

    def to_toml(self) -> str:
        """Return the ``[space]`` table of a sweep file; `from_toml` reads it back."""
        return serial.to_toml(self.to_json()["parameters"], self.constraints)

    @classmethod
    def from_toml(cls, source: str | GivenConfig) -> Space:
        """Read a TOML text, or what was parsed from one: its ``[space]`` table, else all of it.

        Raises
        ------
        SpaceError
            Naming every problem by its key.
        """
        return cls._from_tables(*serial.parse_toml(source))

    @classmethod
    def _from_tables(cls, tables: Any, constraints: Any, where: str) -> Space:
        parameters, unreadable, problems = serial.read_tables(tables, where)
        if isinstance(tables, Mapping):
            problems += declare.read(parameters, constraints, where=where, unreadable=unreadable)[2]
        if problems:
            raise SpaceError(problems)
        return cls(parameters, constraints)

    def diff(self, other: Space) -> list[str]:
        """Return the changes from this space to another, one sentence each."""
        lines = versions.changes(self._parameters, other._parameters)
        lines += [
            f"constraint removed: {c}" for c in self.constraints if c not in other.constraints
        ]
        lines += [f"constraint added: {c}" for c in other.constraints if c not in self.constraints]
        return lines

    def widens(self, other: Space) -> bool:
        """Whether every config of another space, completed by defaults, belongs to this one.

        Ranges may be wider, choices more, constraints fewer; an added parameter needs a declared
        default; conditions must be the same.
        """
        fewer = set(self.constraints) <= set(other.constraints)
        return fewer and versions.accepts(self._parameters, other._parameters)

    def hull(self, other: Space) -> Space:
        """Return the smallest space that holds the configs of this one and of a later version.

        Raises
        ------
        SpaceError
            If there is none, since a parameter changes its kind, lacks a default where one is
            needed, or has another condition; every problem is named.
        """
        if other.widens(self):
            return other
        found, problems = hulls.hull(self._parameters, other._parameters)
        if problems:
            raise SpaceError(problems)
        return Space(found)

    def carry(self, other: Space, unit: NDArray[Any]) -> tuple[Array, Mask]:
        """Return rows and masks here for the configs at rows (n, d) of another version.

        What lies outside is moved to the nearest end; parameters and values that this space does
        not have are left out, and those that the other one lacks take their defaults.
        """
        points = other._points(unit)
        return hulls.carry(other._codec, self._codec, self._region.default, points)

    def admits(self, config: GivenConfig) -> bool:
        """Whether a config of another version, without what this one does not know, belongs."""
        try:
            self.normalise({name: value for name, value in config.items() if name in self})
        except SpaceError:
            return False
        return True

    def __str__(self) -> str:
        return table.text(self._rows(), self.constraints)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return table.markup(self._rows(), self.constraints)

    # --- inside ---

    def _rows(self) -> list[tuple[str, ...]]:
        return table.rows(self._parameters, list(self._spare().values()))

    def _spare(self) -> Config:
        """The default of every parameter, active or not."""
        default = zip(self._region.default.tolist(), self._codec.parameters, strict=True)
        return dict(zip(self.names, (columns.scalars([x], p)[0] for x, p in default), strict=True))

    def _judge(self, config: GivenConfig, *, strict: bool) -> Config:
        if not isinstance(config, Mapping):
            raise SpaceError(f"a config is a mapping from names to values, not {config!r}")
        problems, values = checking.problems_of(
            config, self._parameters, self._region, strict=strict
        )
        if problems:
            raise SpaceError(problems)
        return values

    def _points(self, unit: NDArray[Any]) -> Array:
        return columns.points(unit, len(self))
