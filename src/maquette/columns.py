"""Columns over finished trials: growable arrays, read through views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from maquette.objective import Objective
from maquette.trial import State

# Encodes the configs of trials, by their numbers: rows and activity masks, each (n, dimensions).
EncodeTrials = Callable[[Sequence[int]], tuple[np.ndarray, np.ndarray]]
_AT_ONCE = 2_000


@final
@dataclass(frozen=True, slots=True)
class Finished:
    """Finished trials as arrays, in the order of their end events; n rows, d dimensions.

    Attributes
    ----------
    trial
        Numbers of the trials, shape (n,).
    X, active
        Encoded configs in the unit cube and their activity masks, shape (n, d).
    losses
        Losses of every optimised metric, shape (n, k); NaN unless the trial is done.
    scale
        Values on the scale axes, shape (n, axes).
    excess
        By how much each bound on a metric is exceeded, shape (n, constraints); zero or less where
        it holds, NaN if unknown.
    cost
        Cost of each trial, shape (n,).
    state
        `State` values as an object array, shape (n,).
    """

    trial: np.ndarray
    X: np.ndarray
    active: np.ndarray
    losses: np.ndarray
    scale: np.ndarray
    excess: np.ndarray
    cost: np.ndarray
    state: np.ndarray

    @property
    def loss(self) -> np.ndarray:
        """The primary loss, shape (n,); NaN unless the trial is done."""
        loss: np.ndarray = self.losses[:, 0]
        return loss

    @property
    def ok(self) -> np.ndarray:
        """Whether the primary loss is a finite number, shape (n,)."""
        ok: np.ndarray = np.isfinite(self.losses[:, 0])
        return ok

    @property
    def violation(self) -> np.ndarray:
        """By how much bounds are broken, summed, shape (n,); NaN if unknown."""
        return np.asarray(np.maximum(self.excess, 0.0).sum(axis=1))

    def metric(self, j: int) -> Finished:
        """Return the same trials with the j-th loss as their only one."""
        return replace(self, losses=self.losses[:, [j]])

    def of_bounds(self) -> Finished:
        """Return the same trials with the excess over each bound as their losses, where done."""
        done = self.state == State.DONE
        losses = np.where(done[:, None], self.excess, np.nan)
        return replace(self, losses=losses, excess=np.empty((len(self), 0)))

    def first(self, n: int) -> Finished:
        """Return the n trials that finished first."""
        return Finished(*(getattr(self, name)[:n] for name in self.__slots__))

    def __len__(self) -> int:
        return len(self.trial)


Ending = tuple[Sequence[float], Sequence[float], Sequence[float], int, float, State]
"""A finished trial: its losses, scale, excess, number, cost and state."""


@final
class Columns:
    """Growable arrays behind `Finished`; capacity doubles, so appending is O(1) amortised.

    Configs are encoded when somebody looks at the rows.

    Parameters
    ----------
    encode
        Encodes the configs of trials, by their numbers.
    """

    def __init__(
        self, dimensions: int, axes: int, objective: Objective, encode: EncodeTrials
    ) -> None:
        self._n = 0
        self._encode = encode
        self._widths: dict[str, tuple[int, type]] = {
            "X": (dimensions, float),
            "active": (dimensions, bool),
            "losses": (len(objective.metrics), float),
            "scale": (axes, float),
            "excess": (len(objective.constraints), float),
        }
        self._flat: dict[str, type] = {
            "trial": int,
            "cost": float,
            "state": object,
        }
        self._data: dict[str, np.ndarray] = {}
        # Rows wait here, in the order of `_told`, until somebody looks.
        self._fresh: list[Ending] = []
        self._told = [*list(self._widths)[2:], *self._flat]
        self._unseen: list[int] = []
        self._reserve(16)

    def _reserve(self, capacity: int) -> None:
        for name, (width, kind) in self._widths.items():
            self._grow(name, (capacity, width), kind)
        for name, kind in self._flat.items():
            self._grow(name, (capacity,), kind)
        self._capacity = capacity

    def _grow(self, name: str, shape: tuple[int, ...], kind: type) -> None:
        fresh: np.ndarray = np.empty(shape, dtype=kind)
        if self._n:
            fresh[: self._n] = self._data[name][: self._n]
        self._data[name] = fresh

    def append(self, ending: Ending) -> None:
        """Add one finished trial."""
        self._fresh.append(ending)
        if len(self._fresh) >= _AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Move what was appended since the last time into the arrays, all at once."""
        if not self._fresh:
            return
        first, n = self._n, self._n + len(self._fresh)
        if n > self._capacity:
            self._reserve(max(n, 2 * self._capacity))
        for name, column in zip(self._told, zip(*self._fresh, strict=True), strict=True):
            self._data[name][first:n] = column
        self._unseen += range(first, n)
        self._n = n
        self._fresh.clear()

    def encode_again(self, dimensions: int) -> None:
        """Have all finished trials encoded anew, after the space has changed."""
        self.settle()
        for name in ("X", "active"):
            kind = self._widths[name][1]
            self._widths[name] = (dimensions, kind)
            self._data[name] = np.empty((self._capacity, dimensions), dtype=kind)
        self._unseen = list(range(self._n))

    def view(self) -> Finished:
        """Return read-only views of the rows so far."""
        self.settle()
        while self._unseen:
            places = self._unseen[:_AT_ONCE]
            X, active = self._encode(self._data["trial"][places].tolist())
            self._data["X"][places], self._data["active"][places] = X, active
            del self._unseen[:_AT_ONCE]
        rows = {name: column[: self._n] for name, column in self._data.items()}
        for view in rows.values():
            view.flags.writeable = False
        return Finished(**rows)
