"""What a check found: verdict, slopes, faults, and the data of its figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from maquette.nn.checks.faults import FLAT, LIMIT, Fault, layer
from maquette.nn.checks.slopes import Slope
from maquette.nn.checks.sweep import Sweep
from maquette.scaling.verdict import Finding, Level, Verdict

SHOWN = ("update", "aligned", "activation", "epsilon")
_MOST = 10


@final
@dataclass(frozen=True, slots=True)
class Check:
    """Whether a model's parametrization is stable, and which tensor is not.

    Parameters
    ----------
    verdict
        ``trust``: no fault; ``caution``: something to look at; ``do-not-trust``: a fault.
    faults
        Causes first; what probably follows from them after.
    slopes
        Every fitted slope.
    roles
        What each parameter was taken for, by name; empty where it was not told.
    losses
        Of each short run: width, depth (or none), and the loss before each step and at the end.
    entropy
        Least mean entropy of each softmax over its greatest value, over all runs.
    made
        The data in words, where it was made up.
    seconds
        It took.
    sweeps
        The second gate, where it was asked for: over widths, and over depths.
    """

    verdict: Verdict
    faults: tuple[Fault, ...]
    slopes: tuple[Slope, ...]
    roles: Mapping[str, str]
    losses: tuple[Mapping[str, Any], ...]
    entropy: Mapping[str, float]
    made: str
    seconds: float
    sweeps: tuple[Sweep, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no fault was found."""
        return self.verdict.level != "do-not-trust"

    def of(self, quantity: str, axis: str = "width") -> dict[str, Slope]:
        """Return the slopes of one quantity by name."""
        return {s.name: s for s in self.slopes if (s.quantity, s.axis) == (quantity, axis)}

    @property
    def figure(self) -> dict[str, Any]:
        """Data of the figure: panels of lines, and the slopes."""
        marked = {(f.where, f.code) for f in self.faults}
        bad = {where for where, _ in marked}
        panels = []
        titles = {
            "update": "effect of each tensor's update",
            "aligned": "attention scores when aligned",
            "activation": "activations before training",
            "epsilon": "epsilon over the gradient",
        }
        for quantity in SHOWN:
            lines = [
                {
                    "name": s.name,
                    "exponent": s.exponent,
                    "error": s.error,
                    "faulty": _is_faulty(s, bad),
                    "x": [x for x, _ in s.points],
                    "y": [y for _, y in s.points],
                }
                for s in self.of(quantity).values()
            ]
            if lines:
                panels.append({"title": titles[quantity], "axis": "width", "lines": lines})
        return {"limit": LIMIT, "panels": panels, "sweeps": [s.figure for s in self.sweeps]}

    def to_json(self) -> dict[str, Any]:
        """Return the check as a JSON document."""
        return {
            "verdict": {"level": self.verdict.level, "reasons": list(self.verdict.reasons)},
            "faults": [
                {
                    "code": f.code,
                    "where": f.where,
                    "exponent": f.exponent,
                    "error": f.error,
                    "missing_power": -f.power,
                    "axis": f.axis,
                    "text": f.text,
                    "fix": f.fix,
                    "follows": f.follows,
                }
                for f in self.faults
            ],
            "slopes": [
                {
                    "quantity": s.quantity,
                    "name": s.name,
                    "axis": s.axis,
                    "slope": s.exponent,
                    "error": s.error,
                    "role": self.roles.get(s.name.partition(" (")[0]),
                }
                for s in self.slopes
            ],
            "losses": [dict(row) for row in self.losses],
            "entropy": dict(self.entropy),
            "data": self.made or "given",
            "seconds": self.seconds,
            "sweeps": [s.to_json() for s in self.sweeps],
        }

    def __str__(self) -> str:
        """The verdict, the faults with their fixes, and a table of slopes."""
        lines = [f"Verdict: {self.verdict.level} ({self.seconds:.1f} s)"]
        lines += [f"  - {reason}" for reason in self.verdict.reasons]
        causes = [f for f in self.faults if not f.follows]
        rest = [f for f in self.faults if f.follows]
        for f in causes[:_MOST]:
            lines += [f"{f.code}: {f.text}.", f"  fix: {f.fix}."]
        if len(causes) > _MOST:
            lines.append(f"... and {len(causes) - _MOST} more of that kind")
        if rest:
            names = ", ".join(f"{f.where} ({f.exponent:+.2f})" for f in rest[:_MOST])
            more = f" and {len(rest) - _MOST} more" if len(rest) > _MOST else ""
            lines.append(f"Probably follows from that: {names}{more}.")
        lines += ["", *self._table()]
        for sweep in self.sweeps:
            lines += ["", str(sweep)]
        if self.made:
            lines += ["", f"Data: {self.made}."]
        return "\n".join(lines)

    def _table(self) -> list[str]:
        """Slopes of the updates' effects and of aligned scores."""
        rows = [("tensor", "role", "slope", "error")]
        layers: dict[tuple[str, str], list[Slope]] = {}
        for s in [*self.of("update").values(), *self.of("aligned").values()]:
            layers.setdefault((s.quantity, layer(s.name)), []).append(s)
        for (quantity, name), members in layers.items():
            worst = max(members, key=lambda s: abs(s.exponent))
            shown = name if len(members) > 1 else worst.name
            count = f" (largest of {len(members)})" if len(members) > 1 else ""
            role = self.roles.get(worst.name.partition(" (")[0], "")
            role = role or ("attention scores" if quantity == "aligned" else "")
            rows.append((f"{shown}{count}", role, f"{worst.exponent:+.2f}", f"{worst.error:.2f}"))
        sizes = [max(len(r[i]) for r in rows) for i in range(4)]
        return [
            f"{a:<{sizes[0]}}  {b:<{sizes[1]}}  {c:>{sizes[2]}}  {d:>{sizes[3]}}".rstrip()
            for a, b, c, d in rows
        ]


def _is_faulty(slope: Slope, bad: set[str]) -> bool:
    return slope.name in bad or layer(slope.name) in bad


def judged(
    faults: tuple[Fault, ...], slopes: tuple[Slope, ...], entropy: Mapping[str, float]
) -> Verdict:
    """Combine what was found into a verdict with reasons."""
    findings = []
    for f in faults:
        if not f.follows:
            level: Level = "caution" if f.warning else "do-not-trust"
            findings.append(Finding(f.code, level, f.text))
    updates = [s for s in slopes if s.quantity == "update" and s.axis == "width"]
    if not findings:
        worst = max(updates, key=lambda s: abs(s.exponent), default=None)
        text = "nothing that was measured follows the width"
        if worst is not None:
            text = (
                f"of {len(updates)} tensors none has a slope beyond {LIMIT:g}; the largest is "
                f"{worst.exponent:+.2f}, {worst.name}"
            )
        return Verdict("trust", (text,))
    order: tuple[Level, ...] = ("do-not-trust", "caution")
    findings.sort(key=lambda f: order.index(f.level))
    reasons = tuple(f.reason for f in findings[:_MOST])
    return Verdict(findings[0].level, reasons, tuple(f.code for f in findings))


def collapsed(entropy: Mapping[str, float]) -> list[Fault]:
    """Softmaxes that are nearly one-hot after a few steps."""
    return [
        Fault(
            "entropy",
            name,
            math.nan,
            math.nan,
            "width",
            f"the softmax of {name} is nearly one-hot after a few steps: {value:.2g} of its "
            "greatest entropy",
            "lower the initial scale of queries and keys, or norm them",
        )
        for name, value in entropy.items()
        if value < FLAT
    ]
