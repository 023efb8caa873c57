"""How flat the optimum is and how far measurements scatter, under a Gaussian process.

It speaks where no valley fits all runs, of choices and conditional settings too: along each setting
in turn, the others staying as in the best config.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maquette.history import History
from maquette.report.attribution import importance_of
from maquette.report.evidence import Evidence
from maquette.report.words import FEW, listed, more, percent, place, short
from maquette.space import Choice
from maquette.study.importance import cell_row
from maquette.surrogate.attribution import Model, along, model_of

Array = NDArray[np.float64]

SHARE = 0.01  # of the metric, that may be lost
GRID = 129  # places along a setting


def around_answer(evidence: Evidence) -> str:
    """Say within which range each setting costs little, and how far measurements scatter."""
    best, flat = evidence.best, cheap(evidence)
    if best is None or not flat:
        return ""
    where = f" at {place(best.scale)}" if best.scale else ""
    text = (
        f"Less than {percent(SHARE)} of {evidence.history.objective.primary} is lost{where} with "
        f"{listed(f'{name} {told}' for name, told in flat.items())}, one moved at a time."
    )
    return f"{text} {_scatter(*_model(evidence.history, best.config))}"


def cheap(evidence: Evidence) -> dict[str, str]:
    """Return in words what each setting may be without costing much; empty where none can tell."""
    best, history = evidence.best, evidence.history
    if best is None or importance_of(evidence) is None or not history.space.admits(best.config):
        return {}
    model, row = _model(history, best.config)
    return {name: _flat(model, name, row, best.config[name]) for name in _varying(evidence)}


def _model(history: History, config: Mapping[str, Any]) -> tuple[Model, Array]:
    """Return the model of the trials, and where a config lies in the unit cube (d,)."""
    model = model_of(history, history.finished, cell_row(history, history.finished))
    return model, history.space.encode(config)[0]


def _varying(evidence: Evidence) -> list[str]:
    history, best = evidence.history, evidence.best
    sizes = dict(zip(history.space.names, history.space.cardinality.tolist(), strict=True))
    return [n for n, m in sizes.items() if m != 1 and best is not None and n in best.config]


def _flat(model: Model, name: str, row: Array, value: Any) -> str:
    """Return the values of a setting, around the best one's, that cost little."""
    space = model.history.space
    j = space.names.index(name)
    m = int(space.cardinality[j])
    at = (np.arange(m) + 0.5) / m if 0 < m <= GRID else np.linspace(0.0, 1.0, GRID)
    here, _ = along(model, j, row, row[[j]])
    little = along(model, j, row, at)[0] <= here[0] + SHARE * abs(here[0])
    rows = np.repeat(row[None], len(at), axis=0)
    rows[:, j] = at
    little &= space.feasible(rows)
    values = [config[name] for config in space.from_unit(rows)]
    if isinstance(space[name], Choice):
        kept = [v for v, is_little in zip(values, little, strict=True) if is_little or v == value]
        if len(kept) == len(values):
            return "any"
        if len(kept) > FEW:
            kept.sort(key=lambda v: v != value)  # the best one is among those named
        return " or ".join([*(short(v) for v in kept[:FEW]), *more(len(kept) - FEW)])
    start = int(np.argmin(np.abs(at - row[j])))
    low = start - int(np.argmin(np.append(little[start::-1], False))) + 1
    high = start + int(np.argmin(np.append(little[start:], False))) - 1
    if low >= high:
        return f"at {short(value)}"
    if low == 0 and high == len(at) - 1:
        return "anywhere in its range"
    # The best value lies between two of the grid: it is part of its own range.
    least, most = min(values[low], value), max(values[high], value)
    return f"from {short(least)} to {short(most)}"


def _scatter(model: Model, row: Array) -> str:
    """Say how far repeated measurements at the best config would differ."""
    at = model.place(row[None])
    mean, _ = model.posterior.predict(at)
    sd = np.sqrt([model.posterior.theta.noise_variance])
    loss, noise = model.seen.losses(mean, sd, model.scale)
    share = float(noise[0]) / (abs(float(loss[0])) or 1.0)
    return (
        f"Trials scatter by {percent(share)} about the model (one standard deviation), so two "
        f"closer than {percent(2 * share)} are a tie."
    )
