"""Warm starts: trials of earlier studies, also of other spaces, from a store, a file or a table."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from maquette.errors import DataError, MaquetteError, StudyError, nearest
from maquette.history import History
from maquette.past import Past, aligned
from maquette.problem import Problem
from maquette.store.protocol import Store
from maquette.study.parts import opened
from maquette.study.spec import from_spec
from maquette.surrogate.comparable import comparable
from maquette.surrogate.subset import subset

# So many trials of a past are kept.
MOST = 400
_TABLES = {".csv", ".tsv", ".txt", ".parquet"}
_HINT = "mq.WarmStart(source, names={'theirs': 'ours'}, metric='val_loss') says what is called how"


@final
@dataclass(frozen=True, slots=True)
class WarmStart:
    """An earlier study to learn from, and how its words translate.

    Parameters
    ----------
    source
        The name of a study, a Study, a CSV or Parquet file, or a table: a DataFrame, a mapping of
        columns, or a sequence of mappings, one a run.
    names
        The source's name to this study's, for parameters that are called otherwise.
    metric
        What was measured; left out: this study's metric, or what the source optimised.
    maximize
        Whether larger is better there; left out: as in this study, or as in the source.
    store
        Where the study named is kept; left out: in this study's store.
    """

    source: Any
    names: Mapping[str, str] = field(default_factory=dict)
    metric: str | None = None
    maximize: bool | None = None
    store: str | None = None

    @property
    def name(self) -> str:
        """What the past is called."""
        if isinstance(self.source, str | os.PathLike):
            return os.fspath(self.source)
        return str(getattr(self.source, "name", None) or "table")


def sources(given: Any) -> list[WarmStart | Past]:
    """Return what was given as `warm_start`, one or several, as a list."""
    lone = isinstance(given, str | os.PathLike | Mapping | WarmStart | Past)
    several = isinstance(given, Sequence) and not lone
    if several and given and all(isinstance(row, Mapping) for row in given):
        several = False
    items = list(given) if several else [] if given is None else [given]
    return [i if isinstance(i, WarmStart | Past) else WarmStart(i) for i in items]


def named(given: Any) -> list[str]:
    """Return the names of what was given as `warm_start`; no two are the same."""
    found: list[str] = []
    for item in sources(given):
        same = sum(name == item.name or name.startswith(f"{item.name} (") for name in found)
        found.append(item.name if not same else f"{item.name} ({same + 1})")
    return found


def warmed(problem: Problem, given: Any, store: Store, name: str) -> Problem:
    """Return the problem with the pasts given; a study that exists keeps those that it has.

    Raises
    ------
    StudyError
        If a source holds nothing of use, or is none; or differs from what the study began with.
        Every problem is named.
    """
    from maquette.executor.function import is_preparing

    wanted = named(given)
    if not wanted or is_preparing():
        return problem
    row = next((row for row in store.studies() if row.name == name), None)
    if row is not None:
        known = [past["name"] for past in row.spec.get("past", ())]
        if known == wanted:
            return problem
        raise StudyError(
            f"study {name!r}: warm_start differs: it began with {known or 'none'}, given {wanted}",
            hint="give the study another name, or the warm start that it was created with",
        )
    problems, pasts = [], []
    for item, called in zip(sources(given), wanted, strict=True):
        try:
            past = item if isinstance(item, Past) else _read(item, problem, store)
            pasts.append(_kept(replace(past, name=called), problem))
        except MaquetteError as error:
            problems += [f"warm_start {called!r}: {text}" for text in error.problems]
    if problems:
        raise StudyError(problems, hint=_HINT)
    return replace(problem, past=tuple(pasts))


def _read(item: WarmStart, problem: Problem, store: Store) -> Past:
    """Return the trials of a source, under this study's names."""
    source = item.source
    if hasattr(source, "history"):
        return _of_history(item, source.history, problem)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.suffix.lower() in _TABLES:
            from maquette.table import read_runs

            return _of_columns(item, read_runs(path), problem)
        return _of_history(item, _stored(item, store), problem)
    return _of_columns(item, _columns(source), problem)


def _stored(item: WarmStart, store: Store) -> History:
    """Return the history of a study by name."""
    kept = opened(item.store, read_only=True) if item.store else store
    row = kept.find(item.name)
    return History(from_spec(row.spec), kept.read(row.id))


def _columns(table: Any) -> dict[str, list[Any]]:
    """Return a table's columns."""
    if hasattr(table, "to_dict") and not isinstance(table, Mapping):
        return {str(k): list(v) for k, v in table.to_dict("list").items()}
    if isinstance(table, Mapping) and all(hasattr(v, "__len__") for v in table.values()):
        columns = {str(k): list(v) for k, v in table.items()}
        if len({len(v) for v in columns.values()}) > 1:
            raise DataError("its columns are of different lengths")
        return columns
    if isinstance(table, Sequence) and all(isinstance(row, Mapping) for row in table):
        names = dict.fromkeys(str(name) for row in table for name in row)
        return {name: [row.get(name, math.nan) for row in table] for name in names}
    raise DataError(f"it is no study, file or table, but {type(table).__name__}")


def _check_names(item: WarmStart, theirs: Iterable[str], problem: Problem) -> None:
    """Raise DataError for names that the source or the space has not, or that collide."""
    theirs, problems = list(theirs), []
    for name, ours in item.names.items():
        if name not in theirs:
            problems.append(f"names: it has no parameter {name!r}.{nearest(name, theirs)}")
        if ours not in problem.space:
            known = list(problem.space)
            problems.append(f"names: this study has no parameter {ours!r}.{nearest(ours, known)}")
    renamed = Counter(item.names.get(name, name) for name in theirs)
    problems += [
        f"names: {count} of its parameters would be {name!r}"
        for name, count in renamed.items()
        if count > 1 and name in problem.space
    ]
    if problems:
        raise DataError(problems)


def _of_columns(item: WarmStart, columns: dict[str, list[Any]], problem: Problem) -> Past:
    metric = item.metric or problem.objective.primary
    if metric not in columns:
        raise DataError(f"it has no column {metric!r}.{nearest(metric, columns)}")
    _check_names(item, (name for name in columns if name != metric), problem)
    sign = _sign(item, float(problem.objective.signs[0]))
    losses = [sign * _number(value) for value in columns[metric]]
    configs = []
    for i in range(len(losses)):
        row = {item.names.get(n, n): _plain(v[i]) for n, v in columns.items() if n != metric}
        missing = {
            n for n, v in row.items() if v is None or (isinstance(v, float) and math.isnan(v))
        }
        configs.append({n: v for n, v in row.items() if n not in missing})
    return Past(item.name, tuple(configs), tuple(losses))


def _of_history(item: WarmStart, history: History, problem: Problem) -> Past:
    """Return the finished trials of a history, of its largest cell where it has a scale."""
    wanted, own = item.metric or problem.objective.primary, history.objective
    finished = history.finished
    rows = np.flatnonzero(finished.ok)
    rows = comparable(history, rows) if len(rows) else rows
    trials = [history.trials[int(finished.trial[i])] for i in rows]
    measured = any(wanted in t.metrics for t in trials)
    if item.metric is not None and trials and not measured:
        known = {name: None for t in trials for name in t.metrics}
        raise DataError(f"it has no metric {wanted!r}.{nearest(wanted, known)}")
    _check_names(item, history.space, problem)
    sign = float(problem.objective.signs[0])
    if wanted in own.metrics:
        sign = float(own.signs[own.metrics.index(wanted)])
    sign = _sign(item, sign)
    losses = [sign * t.metrics.get(wanted, math.nan) if measured else t.loss for t in trials]
    configs = [{item.names.get(n, n): v for n, v in t.config.items()} for t in trials]
    return Past(item.name, tuple(configs), tuple(float(v) for v in losses))


def _kept(past: Past, problem: Problem) -> Past:
    """Return what is kept of a past: parameters of this study, finite losses, `MOST` trials."""
    space = problem.space
    shared = {n: None for config in past.configs for n in config if n in space}
    if not shared:
        theirs = list(dict.fromkeys(n for config in past.configs for n in config))
        raise DataError(f"it shares no parameter with this study: it has {', '.join(theirs[:12])}")
    rows = [i for i, loss in enumerate(past.losses) if math.isfinite(loss)]
    rows = [rows[i] for i in subset(np.array([past.losses[i] for i in rows]), MOST)]
    configs = [{n: v for n, v in past.configs[i].items() if n in space} for i in rows]
    kept = Past(past.name, tuple(configs), tuple(past.losses[i] for i in rows))
    if not len(aligned(kept, space).losses):
        raise DataError(f"none of its {len(past.losses)} trials has a result and fits the space")
    return kept


def _sign(item: WarmStart, default: float) -> float:
    return default if item.maximize is None else (-1.0 if item.maximize else 1.0)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
