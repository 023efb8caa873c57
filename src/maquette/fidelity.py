"""Fidelity: a point on the three axes along which a trial is measured.

Duration (how long), scale (how large) and instances (on what). Every multi-fidelity method is a
policy for spending on these axes; nothing treats "epochs" or "proxy width" as a special case.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from maquette.errors import StudyError
from maquette.instances import Instance
from maquette.number import as_number, is_positive


@final
@dataclass(frozen=True)
class Fidelity:
    """How long, how large and on what a config is measured.

    Parameters
    ----------
    until
        Duration by key, for example ``{"steps": 81}``; empty: until the run ends by itself.
    scale
        Cell by axis, for example ``{"width": 128}``; empty where no scale is declared.
    instance
        The instance, or None where none are declared.
    """

    until: Mapping[str, float] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    instance: Instance | None = None


@final
@dataclass(frozen=True)
class Duration:
    """The least and the full duration of a trial, by key.

    The first key is the one that `trial.report(step, ...)` counts and that schedulers halve.

    Parameters
    ----------
    axes
        Key to ``(least, full)``, both positive, ``least <= full``; may be empty.

    Raises
    ------
    StudyError
        If a range is malformed; every problem is named.
    """

    axes: tuple[tuple[str, float, float], ...] = ()

    @classmethod
    def parse(cls, spec: Mapping[str, Any] | None) -> Duration:
        """Read ``{"steps": (27, 729)}``; a single number means least = full."""
        hint = 'for example fidelity={"steps": (27, 729)}'
        if spec is not None and not isinstance(spec, Mapping):
            raise StudyError(f"fidelity must map a name to (least, full), not {spec!r}", hint=hint)
        problems: list[str] = []
        rows: list[tuple[str, float, float]] = []
        for key, value in (spec or {}).items():
            pair = (value, value) if as_number(value) is not None else value
            if not (isinstance(pair, tuple | list) and len(pair) == 2):
                problems.append(f"fidelity {key!r} must be (least, full), not {value!r}")
            elif not (all(map(is_positive, pair)) and pair[0] <= pair[1]):
                problems.append(f"fidelity {key!r}: need 0 < least <= full, not {value!r}")
            else:
                rows.append((str(key), pair[0], pair[1]))
        if problems:
            raise StudyError(problems, hint=hint)
        return cls(tuple(rows))

    @property
    def key(self) -> str | None:
        """The key that reports count; None if no duration is declared."""
        return self.axes[0][0] if self.axes else None

    @property
    def least(self) -> float:
        """The least duration along `key` (0 if none is declared)."""
        return self.axes[0][1] if self.axes else 0.0

    @property
    def full(self) -> float:
        """The full duration along `key` (inf if none is declared)."""
        return self.axes[0][2] if self.axes else math.inf

    def until(self, amount: float) -> dict[str, float]:
        """Return the durations of a job that runs to `amount` along `key`.

        Other keys grow in proportion between their least and full values, geometrically.
        """
        if not self.axes:
            return {}
        span = math.log(self.full / self.least)
        part = 1.0 if span == 0 else math.log(amount / self.least) / span
        rest = {k: low * (high / low) ** part for k, low, high in self.axes[1:]}
        return {self.axes[0][0]: amount, **rest}

    def to_json(self) -> dict[str, list[float]]:
        """Return a JSON-ready mapping; `parse` reads it back."""
        return {key: [low, high] for key, low, high in self.axes}
