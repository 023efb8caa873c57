"""An Optuna storage, by its tables, or the CSV file of `Study.trials_dataframe`.

Reading the tables needs no Optuna. The tables are those of Optuna 3 and later.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from maquette.errors import DataError, nearest
from maquette.files import absent
from maquette.integrations.imports.runs import Run, Source, given, numbers, state_of
from maquette.objective import Objective
from maquette.space import Choice, Float, Int
from maquette.space.parameter import Parameter, Scalar
from maquette.table import read_runs

_INFINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf}


def read(source: str, study: str | None) -> Source:
    """Read a study of a storage: a URL, a SQLite file, or a CSV file.

    Parameters
    ----------
    source
        Where it is.
    study
        Its name; None where there is only one.

    Raises
    ------
    DataError
        If it cannot be read, or there is no such study.
    """
    if "://" not in source and Path(source).suffix.lower() == ".csv":
        return _from_csv(Path(source))
    return _from_tables(source, study)


def _from_csv(path: Path) -> Source:
    table = read_runs(path)
    if "state" not in table or not any(name.startswith("params_") for name in table):
        raise DataError(
            f"{path} is no table of an Optuna study: it has no column `state` and none that starts "
            "with params_",
            hint="study.trials_dataframe().to_csv(...) writes one",
        )
    runs = []
    objectives = [n for n in table if n == "value" or n.startswith(("value_", "values_"))]
    for i in range(len(table["state"])):
        row = {name: cells[i] for name, cells in table.items()}
        config = {
            name.removeprefix("params_"): row[name] for name in table if name.startswith("params_")
        }
        number = int(row["number"]) if "number" in row else i
        metrics = numbers({name: row[name] for name in objectives})
        metrics = {name: value for name, value in metrics.items() if not math.isnan(value)}
        key = f"optuna:{path.stem}/{number}"
        runs.append(Run(key, _filled(config), metrics, state_of(row["state"]), group=path.stem))
    return Source(runs, ordered=False)


def _filled(config: Mapping[str, Any]) -> dict[str, Scalar]:
    return {name: value for name, value in given(config).items() if value != ""}


@final
@dataclass(frozen=True, slots=True)
class _Tables:
    """Rows of the storage that concern one study."""

    trials: Sequence[Any]
    params: Mapping[int, Sequence[Any]]
    values: Mapping[int, Sequence[Any]]


def _from_tables(source: str, study: str | None) -> Source:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    from maquette.masking import without_secrets

    if "?" not in source:
        # As a file: SQLite would make the one that is not there.
        source = source.removeprefix("sqlite:///")
    if "://" not in source:
        path = Path(source)
        if not path.is_file():
            raise DataError(absent(path, ".db", ".sqlite", ".sqlite3"))
        source = f"sqlite:///file:{path.resolve()}?mode=ro&uri=true"
    engine = None
    try:
        engine = create_engine(source)
        with engine.connect() as connection:
            return _read_study(connection, source, study)
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        reason = without_secrets(str(error).splitlines()[0])
        raise DataError(
            f"this is no storage of Optuna 3 or later: {reason}",
            hint="optuna storage upgrade --storage URL brings older ones up to date",
        ) from error
    finally:
        if engine is not None:
            engine.dispose()


def _read_study(connection: Any, source: str, wanted: str | None) -> Source:
    from sqlalchemy import column, select, table

    studies = table("studies", column("study_id"), column("study_name"))
    rows = {r.study_name: r.study_id for r in connection.execute(select(studies))}
    if wanted is None and len(rows) == 1:
        wanted = next(iter(rows))
    if wanted is None:
        raise DataError(
            f"the storage holds {len(rows)} studies: {', '.join(sorted(rows)[:12]) or 'none'}",
            hint="say which with --from NAME",
        )
    if wanted not in rows:
        raise DataError(f"the storage has no study {wanted!r}." + nearest(wanted, rows))
    found = _rows_of(connection, rows[wanted])
    objective = _objective(connection, rows[wanted])
    names = objective.metrics
    directions = _directions(connection, rows[wanted])
    order = sorted(range(len(directions)), key=lambda i: directions[i] == "MAXIMIZE")
    by_index = {i: names[place] for place, i in enumerate(order)}
    parameters: dict[str, Parameter] = {}
    runs = []
    for trial in found.trials:
        config: dict[str, Scalar] = {}
        for row in found.params.get(trial.trial_id, ()):
            parameter, value = _value(row.distribution_json, row.param_value)
            parameters[row.param_name] = _joined(parameters.get(row.param_name), parameter)
            config[row.param_name] = value
        metrics = {
            by_index[v.objective]: _INFINITE.get(v.value_type, v.value)
            for v in found.values.get(trial.trial_id, ())
            if v.objective in by_index
        }
        state = state_of(trial.state)
        metrics = {k: float(v) for k, v in metrics.items() if v is not None}
        spent = _seconds(trial.datetime_start, trial.datetime_complete)
        key = f"optuna:{wanted}/{trial.number}"
        runs.append(Run(key, config, metrics, state, spent, wanted))
    return Source(runs, parameters, objective, ordered=True)


def _rows_of(connection: Any, study: int) -> _Tables:
    from sqlalchemy import column, select, table

    trials = table(
        "trials",
        *map(
            column,
            ("trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"),
        ),
    )
    params = table(
        "trial_params",
        *map(column, ("param_id", "trial_id", "param_name", "param_value", "distribution_json")),
    )
    values = table("trial_values", *map(column, ("trial_id", "objective", "value", "value_type")))
    mine = trials.c.study_id == study
    of_params: dict[int, list[Any]] = defaultdict(list)
    of_values: dict[int, list[Any]] = defaultdict(list)
    joined = select(params).join(trials, trials.c.trial_id == params.c.trial_id).where(mine)
    for row in connection.execute(joined.order_by(params.c.param_id)):
        of_params[row.trial_id].append(row)
    joined = select(values).join(trials, trials.c.trial_id == values.c.trial_id).where(mine)
    for row in connection.execute(joined):
        of_values[row.trial_id].append(row)
    ended = connection.execute(select(trials).where(mine).order_by(trials.c.number)).all()
    return _Tables(ended, of_params, of_values)


def _directions(connection: Any, study: int) -> list[str]:
    from sqlalchemy import column, select, table

    t = table("study_directions", *map(column, ("study_id", "objective", "direction")))
    asked = select(t).where(t.c.study_id == study).order_by(t.c.objective)
    return [row.direction for row in connection.execute(asked)]


def _objective(connection: Any, study: int) -> Objective:
    from sqlalchemy import column, select, table

    directions = _directions(connection, study)
    t = table("study_system_attributes", *map(column, ("study_id", "key", "value_json")))
    named = connection.execute(
        select(t).where(t.c.study_id == study, t.c.key == "study:metric_names")
    ).first()
    several = [f"value {i}" for i in range(len(directions))]
    names = json.loads(named.value_json) if named else several if len(several) > 1 else ["value"]
    pairs = list(zip(names, directions, strict=True))
    down = [name for name, way in pairs if way != "MAXIMIZE"]
    return Objective(down, [name for name, way in pairs if way == "MAXIMIZE"])


def _value(text: str, stored: float) -> tuple[Parameter, Scalar]:
    """Return the parameter of a distribution as stored, and the value that a number stands for."""
    said = json.loads(text)
    kind, d = said.get("name", ""), said.get("attributes", said)
    if "choices" in d:
        choices = [c if isinstance(c, Scalar) else json.dumps(c) for c in d["choices"]]
        return Choice(choices), choices[int(stored)]
    log = bool(d.get("log")) or "Log" in kind
    if kind.startswith("Int") or said.get("type") == "int":
        return Int(int(d["low"]), int(d["high"]), log=log), round(stored)
    return Float(float(d["low"]), float(d["high"]), log=log), float(stored)


def _joined(before: Parameter | None, new: Parameter) -> Parameter:
    """Return the parameter that holds both: a program may ask for another range every time."""
    if before is None or before == new or isinstance(new, Choice) or isinstance(before, Choice):
        return new
    low, high = min(before.low, new.low), max(before.high, new.high)
    log = new.log and low > 0
    if isinstance(new, Int):
        return Int(int(low), int(high), log=log)
    return Float(low, high, log=log)


def _seconds(start: Any, end: Any) -> float:
    from datetime import datetime

    try:
        times = [
            t if isinstance(t, datetime) else datetime.fromisoformat(str(t)) for t in (start, end)
        ]
    except ValueError:
        return 0.0
    return max(0.0, (times[1] - times[0]).total_seconds())
