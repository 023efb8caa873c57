"""A table of runs as arrays: what was tried, at which scale, and what came out.

Rows that are equal in every column count once; runs of one config at one scale share a point,
the mean of their log losses; runs without a finite loss are evidence of divergence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from maquette.errors import DataError, nearest
from maquette.scaling.coordinates import (
    Array,
    Axis,
    Setting,
    as_columns,
    axis_of,
    choice_setting,
    numeric_setting,
)

# A finite loss this many times the median is a run that blew up and was still written down.
BLOWN_UP = 1e3
# A best run this many times below the middle one of its scale: losses go to zero, not to a floor.
TO_ZERO = 30.0
ENDED = ("done", "complete", "completed", "finished", "ok")  # states of runs that went to their end


@final
@dataclass(frozen=True, slots=True)
class Runs:
    """Distinct points of a table of runs, sorted so that the order of rows does not matter.

    Attributes
    ----------
    settings, axes
        What the columns mean, in the caller's order.
    x, g, s
        Coordinates of the varying numeric settings (n, p), NaN where inactive; one-hot levels
        of the varying choices (n, L); varying axes of scale (n, A).
    t
        log((loss - offset) / unit) (n,). Where every loss is positive the offset is 0 and the
        unit 1; else the offset lies one spread below the lowest loss and the unit is that spread.
    repeats
        Number of runs behind each point (n,).
    cell
        Index of the distinct scale of each point (n,).
    xd, gd, sd
        The same coordinates for the diverged runs.
    seed_sd
        Pooled standard deviation of repeats in t, or None where nothing was repeated.
    rows, duplicates, unfinished
        Rows read, rows that repeat another in every column, rows in a state that says nothing.
    """

    settings: tuple[Setting, ...]
    axes: tuple[Axis, ...]
    x: Array
    g: Array
    s: Array
    t: Array
    repeats: Array
    cell: np.ndarray[Any, np.dtype[np.int64]]
    xd: Array
    gd: Array
    sd: Array
    seed_sd: float | None
    offset: float
    unit: float
    rows: int
    duplicates: int
    unfinished: int

    @property
    def numeric(self) -> tuple[Setting, ...]:
        """Varying numeric settings: the columns of x."""
        return tuple(c for c in self.settings if c.varies and c.kind != "choice")

    @property
    def choices(self) -> tuple[Setting, ...]:
        """Varying choices: the blocks of columns of g."""
        return tuple(c for c in self.settings if c.varies and c.kind == "choice")

    @property
    def varying(self) -> tuple[Axis, ...]:
        """Varying axes: the columns of s."""
        return tuple(a for a in self.axes if a.varies)

    @property
    def cells(self) -> Array:
        """Distinct scales (C, A)."""
        return np.unique(self.s, axis=0)

    def to_loss(self, t: Array | float) -> Array:
        """Map t back to the column's unit of loss."""
        return np.asarray(self.offset + self.unit * np.exp(t))


def read_table(
    table: Any,
    settings: Sequence[str],
    scale: Sequence[str],
    loss: str,
    log: Mapping[str, bool | None] | None = None,
    state: str | None = None,
) -> Runs:
    """Check a table and turn it into `Runs`.

    Raises
    ------
    DataError
        With every problem found: unknown or repeated columns, ragged columns, values that are
        not numbers, scales that are not positive, no finished run.
    """
    columns = as_columns(table)
    _check_names(columns, settings, scale, loss, state)
    n = len(columns[loss])
    problems: list[str] = []
    y = _numbers(columns[loss], f"loss column {loss!r}", problems, missing=True)
    scales = {a: _numbers(columns[a], f"scale column {a!r}", problems) for a in scale}
    for a, v in scales.items():
        bad = np.flatnonzero(~((v > 0) & np.isfinite(v)))
        if bad.size and not any(f"scale column {a!r}" in p for p in problems):
            problems.append(
                f"scale column {a!r} is taken in log, so every value must be positive and finite: "
                f"{_rows(bad)} {'is' if bad.size == 1 else 'are'} not"
            )
    values: dict[str, Any] = {}
    for name in settings:
        column = columns[name]
        if _is_choice(column):
            values[name] = [("" if v is None else v) for v in column]
        else:
            values[name] = _numbers(column, f"setting {name!r}", problems, missing=True)
            infinite = np.flatnonzero(np.isinf(values[name]))
            if infinite.size:
                problems.append(f"setting {name!r} is infinite in {_rows(infinite)}")
            if (log or {}).get(name) and np.nanmin(values[name], initial=math.inf) < 0:
                problems.append(f"setting {name!r} has negative values and cannot be taken in log")
    if problems:
        raise DataError(problems, hint="mend these cells, or leave the column out")
    done, diverged = _states(columns, state, y, n)
    if not done.any():
        raise DataError(
            f"no run has a finite {loss!r}: nothing to fit",
            hint="give at least one finished run",
        )
    return _arrays((settings, scale), values, scales, y, done, diverged, log or {})


def _check_names(
    columns: Mapping[str, list[Any]],
    settings: Sequence[str],
    scale: Sequence[str],
    loss: str,
    state: str | None,
) -> None:
    problems = []
    for what, names in (("settings", settings), ("scale", scale)):
        if isinstance(names, str):
            problems.append(f"{what} must be a list of column names, not the string {names!r}")
    if problems:
        raise DataError(problems)
    wanted = [*settings, *scale, loss] + ([state] if state else [])
    for name in wanted:
        if name not in columns:
            problems.append(f"no column {name!r}.{nearest(name, columns)}")
    for name in dict.fromkeys(w for w in wanted if wanted.count(w) > 1):
        problems.append(f"column {name!r} is named more than once among settings, scale and loss")
    lengths = {name: len(columns[name]) for name in wanted if name in columns}
    if len(set(lengths.values())) > 1:
        problems.append(f"columns differ in length: {lengths}")
    elif lengths and not next(iter(lengths.values())):
        problems.append("the table has no rows")
    if problems:
        raise DataError(problems)


def _rows(index: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    shown = ", ".join(str(int(i) + 1) for i in index[:5])
    return (
        f"row {shown}"
        if index.size == 1
        else f"rows {shown}" + (f" and {index.size - 5} more" if index.size > 5 else "")
    )


def _is_choice(column: Sequence[Any]) -> bool:
    """A column with a value that is a truth value or text that is no number is a choice."""
    for v in column:
        if isinstance(v, bool | np.bool_):
            return True
        if isinstance(v, str) and v.strip():
            try:
                float(v)
            except ValueError:
                return True
    return False


def _numbers(
    column: Sequence[Any], what: str, problems: list[str], *, missing: bool = False
) -> Array:
    out = np.full(len(column), math.nan)
    bad = []
    for i, v in enumerate(column):
        if v is None or (isinstance(v, str) and not v.strip()):
            if not missing:
                bad.append(i)
            continue
        try:
            out[i] = float(v)
        except (TypeError, ValueError):
            bad.append(i)
    if bad:
        example = column[bad[0]]
        problems.append(f"{what} is not a number in {_rows(np.asarray(bad))} (first: {example!r})")
    return out


def _states(
    columns: Mapping[str, list[Any]], state: str | None, y: Array, n: int
) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Tell finished from diverged rows; rows in any other state say nothing."""
    finite = np.isfinite(y)
    if finite.any():
        middle = float(np.median(np.abs(y[finite])))
        blown = finite & (np.abs(y) > BLOWN_UP * middle) if middle > 0 else np.zeros(n, bool)
        # Many such rows are not accidents but another unit: they stay, and the verdict says so.
        if blown.sum() <= 0.2 * n:
            finite = finite & ~blown
    if state is None:
        return finite, ~finite
    names = np.asarray([str(v).lower() for v in columns[state]])
    diverged = names == "diverged"
    done = np.isin(names, ENDED)
    return done & finite, diverged | (done & ~finite)


def _arrays(
    names: tuple[Sequence[str], Sequence[str]],
    values: Mapping[str, Any],
    scales: Mapping[str, Array],
    y: Array,
    done: np.ndarray[Any, np.dtype[np.bool_]],
    diverged: np.ndarray[Any, np.dtype[np.bool_]],
    log: Mapping[str, bool | None],
) -> Runs:
    used = done | diverged
    described = _described(names[0], values, np.flatnonzero(used), log)
    n = y.size
    numeric = [c for c in described if c.varies and c.kind != "choice"]
    choices = [c for c in described if c.varies and c.kind == "choice"]
    x = _stack([c.encode(values[c.name]) for c in numeric], n)
    g = _stack([[v == lv for v in values[c.name]] for c in choices for lv in c.levels], n)
    cells = np.unique(np.stack([scales[a][used] for a in names[1]], 1), axis=0) if names[1] else ()
    axes = tuple(axis_of(a, np.asarray(cells)[:, i]) for i, a in enumerate(names[1]))
    s = _stack([np.log(scales[a.name]) - a.centre for a in axes if a.varies], n)

    offset, unit = 0.0, 1.0
    if not np.all(y[done] > 0) or _reaches_zero(y[done], s[done]):
        quarters = np.percentile(y[done], [25, 75])
        unit = float(quarters[1] - quarters[0]) or float(np.std(y[done])) or 1.0
        offset = float(y[done].min()) - unit
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.log((y - offset) / unit)
    key = np.round(np.concatenate([s, g, np.nan_to_num(x, nan=1e9)], 1), 9)
    full = np.concatenate([key[done], t[done, None]], 1)
    _, first = np.unique(np.round(full, 12), axis=0, return_index=True)
    rows = np.flatnonzero(done)[first]
    points, index = np.unique(key[rows], axis=0, return_inverse=True)
    index = index.reshape(-1)
    repeats = np.bincount(index, minlength=len(points)).astype(np.float64)
    mean = np.bincount(index, t[rows], minlength=len(points)) / repeats
    extra = float(np.sum(repeats - 1))
    seed_sd = math.sqrt(float(np.sum((t[rows] - mean[index]) ** 2)) / extra) if extra else None
    a, b = s.shape[1], s.shape[1] + g.shape[1]
    px = np.where(points[:, b:] > 1e8, math.nan, points[:, b:])
    _, cell = np.unique(points[:, :a], axis=0, return_inverse=True)
    dead = np.unique(key[diverged], axis=0)
    return Runs(
        settings=tuple(described),
        axes=axes,
        x=px,
        g=points[:, a:b],
        s=points[:, :a],
        t=mean,
        repeats=repeats,
        cell=cell.reshape(-1).astype(np.int64),
        xd=np.where(dead[:, b:] > 1e8, math.nan, dead[:, b:]),
        gd=dead[:, a:b],
        sd=dead[:, :a],
        seed_sd=seed_sd,
        offset=offset,
        unit=unit,
        rows=int(n),
        duplicates=int(done.sum()) - len(rows),
        unfinished=int(n - used.sum()),
    )


def _reaches_zero(y: Array, s: Array) -> bool:
    """Whether ratios to the best loss mean nothing, as it lies next to zero at most scales."""
    _, cell = np.unique(s, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    ratios = []
    for c in range(int(cell.max()) + 1):
        here = np.sort(y[cell == c])
        # Two groups apart are two units in one column, which the verdict names: judge the lower.
        gaps = np.flatnonzero(here[1:] > TO_ZERO * here[:-1])
        apart = [int(i) + 1 for i in gaps if here.size // 5 <= i < here.size - 1 - here.size // 5]
        lower = here[: apart[-1]] if apart else here
        if lower.size >= 3:
            ratios.append(float(np.median(lower)) / float(lower[0]))
    return bool(ratios) and float(np.median(ratios)) > TO_ZERO


def _described(
    names: Sequence[str],
    values: Mapping[str, Any],
    used: np.ndarray[Any, np.dtype[np.int64]],
    log: Mapping[str, bool | None],
) -> list[Setting]:
    """Say what each setting's column means, from the rows that count."""
    return [
        choice_setting(name, [values[name][i] for i in used])
        if isinstance(values[name], list)
        else numeric_setting(name, values[name][used], log.get(name))
        for name in names
    ]


def _stack(parts: Sequence[Any], n: int) -> Array:
    if not parts:
        return np.zeros((n, 0))
    return np.stack([np.asarray(p, dtype=np.float64) for p in parts], 1)
