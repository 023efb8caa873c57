"""The Pareto front of a study: the trials that no other beats in every metric."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from maquette.errors import StudyError, nearest
from maquette.history import History
from maquette.number import as_number, json_ready
from maquette.pareto import front, hypervolume, knee, reference_point
from maquette.surrogate.comparable import comparable


@final
@dataclass(frozen=True, slots=True)
class FrontTrial:
    """One trial of a front: its number, its config, and the optimised metrics as measured."""

    trial: int
    config: Mapping[str, Any]
    values: Mapping[str, float]


@final
@dataclass(frozen=True, slots=True)
class Front:
    """The feasible trials that no other dominates, in the order of the first metric, best first.

    Attributes
    ----------
    trials
        The trials; iterating over a front gives them too.
    reference
        A value of each metric: the corner up to which the hypervolume is measured.
    hypervolume
        Volume between the front and the reference, in the product of the metrics' units.
    knee
        The trial nearest to the best of every metric at once, each scaled to its range on the
        front.
    scale
        The cell that the trials ran in; empty where no scale is declared.
    """

    trials: tuple[FrontTrial, ...]
    reference: Mapping[str, float]
    hypervolume: float
    knee: FrontTrial
    scale: Mapping[str, float]

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[FrontTrial]:
        return iter(self.trials)

    def __str__(self) -> str:
        metrics = list(self.reference)
        names = list(dict.fromkeys(name for t in self.trials for name in t.config))
        rows = [["trial", *metrics, *names]]
        for t in self.trials:
            values = [t.values[m] for m in metrics] + [t.config.get(n, "") for n in names]
            mark = "*" if t.trial == self.knee.trial else ""
            rows.append([f"{t.trial}{mark}", *map(_short, values)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.rjust, row, widths)) for row in rows]
        at = ", ".join(f"{m} {_short(v)}" for m, v in self.reference.items())
        lines.append(f"hypervolume {_short(self.hypervolume)} up to {at}; * the knee")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping: front, reference, hypervolume, knee (a number), scale."""
        found: dict[str, Any] = json_ready(
            {
                "front": [
                    {"trial": t.trial, "config": dict(t.config), "values": dict(t.values)}
                    for t in self.trials
                ],
                "reference": dict(self.reference),
                "hypervolume": self.hypervolume,
                "knee": self.knee.trial,
                "scale": dict(self.scale),
            }
        )
        return found


def find_front(history: History, reference: Mapping[str, float] | None = None) -> Front:
    """Return the front of the trials that are done, keep the bounds, and have every metric.

    With a scale, of the trials in the largest cell that has results; of trials outside a space that
    was narrowed only while there are no others. Of equal trials the first stands for all.

    Parameters
    ----------
    history
        The study's.
    reference
        Metric to value, in the metric's own sign; None: a tenth of the front's range beyond the
        worst value on the front.

    Raises
    ------
    StudyError
        If there is no such trial, or the reference does not name every metric.
    """
    objective, finished = history.objective, history.finished
    rows = np.flatnonzero(np.isfinite(finished.losses).all(axis=1) & ~(finished.violation > 0))
    if not len(rows):
        raise nothing_found(history)
    rows = comparable(history, rows)
    rows = rows[front(finished.losses[rows])]
    losses, first = np.unique(finished.losses[rows], axis=0, return_index=True)
    at = reference_point(losses) if reference is None else _read(history, reference)
    names, signs = objective.metrics, objective.signs
    trials = []
    for loss, row in zip(losses, rows[first], strict=True):
        record = history.trials[finished.trial[row]]
        values = dict(zip(names, (float(v) for v in signs * loss), strict=True))
        trials.append(FrontTrial(record.number, dict(record.config), values))
    return Front(
        tuple(trials),
        dict(zip(names, (float(v) for v in signs * at), strict=True)),
        hypervolume(losses, at),
        trials[knee(losses)],
        dict(history.trials[trials[0].trial].scale),
    )


def nothing_found(history: History) -> StudyError:
    """Return the error that says why a study has no best trial: what became of its trials."""
    finished, objective = history.finished, history.objective
    done = int(finished.ok.sum())
    failed = [t for t in history.trials if t.state.failed and t.message]
    said = f"trial {failed[0].number} said: {failed[0].message.splitlines()[0]}" if failed else None
    if not done:
        return StudyError(
            f"no trial has finished with a result yet (trials: {history.tally()})", hint=said
        )
    bounds = ", ".join(f"{name} {bound}" for name, bound in objective.constraints.items())
    if not bounds or not (finished.violation[finished.ok] > 0).all():
        metrics = ", ".join(objective.metrics)
        return StudyError(f"no trial has finished with a number for each of {metrics}", hint=said)
    from maquette.surrogate.infeasible import infeasible

    verdict, text = infeasible(history), f"none of {done} trials with a result keeps the bounds"
    if verdict is not None and verdict.certain:
        return StudyError(
            f"{text} ({bounds}), and no config of the space can: the models of these metrics are "
            f"sure of it; {verdict.worst} stands most in the way",
            hint=f"loosen the bound on {verdict.worst}, or widen the space",
        )
    return StudyError(
        f"{text} ({bounds})", hint="run more trials, widen the space, or loosen a bound"
    )


def _read(history: History, reference: Mapping[str, float]) -> np.ndarray:
    """Return a reference point as losses."""
    objective = history.objective
    problems = [
        f"unknown metric {n!r}." + nearest(n, objective.metrics)
        for n in reference
        if n not in objective.metrics
    ]
    problems += [f"no value for metric {n!r}" for n in objective.metrics if n not in reference]
    numbers = {n: as_number(v) for n, v in reference.items()}
    problems += [
        f"{n} is {reference[n]!r}, not a finite number"
        for n, v in numbers.items()
        if v is None or not math.isfinite(v)
    ]
    if problems:
        raise StudyError([f"reference: {p}" for p in problems])
    return np.array(objective.losses({n: v for n, v in numbers.items() if v is not None}))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
