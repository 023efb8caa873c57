"""The views `trials` and `reports`, for people and programs that read a store with plain SQL.

They hold no data: a schema step of their own makes them anew whenever their text changes.
"""

from __future__ import annotations

from typing import Final

# One text for both dialects. A job may run more than once; a run that was lost has taken the time
# up to its last sign of life, and what it cost is spent all the same, as in `History`. Only how a
# field is taken out of a JSON text differs.
_TRIALS = """
{create} VIEW trials AS
WITH marks AS (
    SELECT study, trial,
        min(CASE WHEN kind = 'proposed' THEN number END) AS first,
        max(CASE WHEN kind <> 'reported' THEN number END) AS latest,
        min(CASE WHEN kind = 'ended' AND {end_state} <> 'paused' THEN number END) AS final,
        min(CASE WHEN kind = 'started' THEN time END) AS started
    FROM events e WHERE trial IS NOT NULL GROUP BY study, trial
), stretches AS (
    SELECT e.*, sum(CASE WHEN kind = 'started' AND NOT {adopted} THEN 1 ELSE 0 END)
        OVER (PARTITION BY study, job ORDER BY number) AS run
    FROM events e WHERE kind IN ('started', 'reported', 'ended', 'requeued')
), runs AS (
    SELECT study, trial, coalesce(max({seconds}), 0.0) AS said, max({cost}) AS cost,
        coalesce(max(CASE WHEN kind = 'requeued' OR {alive} IS NOT NULL THEN
            CASE WHEN {alive} < time THEN {alive} ELSE time END END)
            - min(CASE WHEN kind = 'started' AND NOT {adopted} THEN time END), 0.0) AS lived
    FROM stretches e GROUP BY study, trial, job, run
), spent AS (
    SELECT study, trial, sum(CASE WHEN lived > said THEN lived ELSE said END) AS seconds,
        sum(cost) AS cost
    FROM runs GROUP BY study, trial
)
SELECT s.name AS study, m.trial AS trial,
    CASE WHEN e.kind = 'ended' THEN {end_state} WHEN e.kind = 'started' THEN 'running'
        ELSE 'queued' END AS state,
    CASE WHEN e.kind = 'ended' AND {end_state} = 'done' THEN {value} END AS value,
    CASE WHEN e.kind = 'ended' THEN {metrics} END AS metrics,
    {config} AS config, {scale} AS scale, coalesce({origin}, 'user') AS origin,
    spent.cost AS cost, coalesce(spent.seconds, 0.0) AS seconds,
    CASE WHEN e.kind = 'ended' THEN coalesce({message}, '') ELSE '' END AS message,
    p.time AS proposed, m.started AS started,
    CASE WHEN m.final IS NOT NULL THEN e.time END AS ended
FROM marks m
JOIN studies s ON s.id = m.study
JOIN events p ON p.study = m.study AND p.number = m.first
JOIN events e ON e.study = m.study AND e.number = coalesce(m.final, m.latest)
LEFT JOIN spent ON spent.study = m.study AND spent.trial = m.trial
"""
_REPORTS = """
{create} VIEW reports AS
SELECT s.name AS study, e.trial AS trial, e.job AS job, e.time AS time, {step} AS step,
    {value} AS value, {metrics} AS metrics, {cost} AS cost, coalesce({seconds}, 0.0) AS seconds
FROM events e JOIN studies s ON s.id = e.study WHERE e.kind = 'reported'
"""


def _sqlite(row: str, field: str) -> str:
    return f"json_extract({row}.body, '$.{field}')"


def _sqlite_number(row: str, field: str) -> str:
    kind = f"json_type({row}.body, '$.{field}')"
    return f"CASE WHEN {kind} IN ('real', 'integer') THEN {_sqlite(row, field)} END"


_SQLITE_VALUE = """(
        SELECT j.value FROM json_each(e.body, '$.metrics') AS j
        WHERE j.type IN ('real', 'integer') AND j.key = coalesce(
            json_extract(s.spec, '$.objective.minimize[0]'),
            json_extract(s.spec, '$.objective.maximize[0]')))"""


def _postgresql_json(row: str) -> str:
    # PostgreSQL has no text with a NUL in it; one in a message must not spoil the whole view.
    return rf"replace({row}.body, '\u0000', '\ufffd')::json"


def _postgresql(row: str, field: str) -> str:
    return f"({_postgresql_json(row)} ->> '{field}')"


def _postgresql_number(row: str, field: str) -> str:
    kind = f"json_typeof({_postgresql_json(row)} -> '{field}')"
    return f"CASE WHEN {kind} = 'number' THEN {_postgresql(row, field)}::float8 END"


_POSTGRESQL_VALUE = """(
        SELECT CASE WHEN json_typeof(j.value) = 'number' THEN (j.value #>> '{}')::float8 END
        FROM json_each(BODY -> 'metrics') AS j
        WHERE j.key = coalesce(s.spec::json #>> '{objective,minimize,0}',
                               s.spec::json #>> '{objective,maximize,0}'))"""

_SQLITE = {
    "create": "CREATE",
    "adopted": "coalesce(" + _sqlite("e", "adopted") + ", 0)",
    "value": _SQLITE_VALUE,
    "end_state": _sqlite("e", "state"),
    # SQLite would end the text at a NUL.
    "message": r"json_extract(replace(e.body, '\u0000', '\ufffd'), '$.message')",
    "metrics": "coalesce(" + _sqlite("e", "metrics") + ", '{}')",
    "config": _sqlite("p", "config"),
    "scale": "coalesce(" + _sqlite("p", "scale") + ", '{}')",
    "origin": _sqlite("p", "origin"),
    **{name: _sqlite_number("e", name) for name in ("step", "cost", "seconds", "alive")},
}
_POSTGRESQL = {
    # Views that others have built on them stay.
    "create": "CREATE OR REPLACE",
    "adopted": "coalesce(" + _postgresql("e", "adopted") + " = 'true', false)",
    "value": _POSTGRESQL_VALUE.replace("BODY", _postgresql_json("e")),
    "end_state": _postgresql("e", "state"),
    "message": _postgresql("e", "message"),
    "metrics": "coalesce(" + _postgresql("e", "metrics") + ", '{}')",
    "config": _postgresql("p", "config"),
    "scale": "coalesce(" + _postgresql("p", "scale") + ", '{}')",
    "origin": _postgresql("p", "origin"),
    **{name: _postgresql_number("e", name) for name in ("step", "cost", "seconds", "alive")},
}

VIEWS: Final[dict[str, tuple[str, ...]]] = {
    "sqlite": (
        "DROP VIEW IF EXISTS trials",
        "DROP VIEW IF EXISTS reports",
        _TRIALS.format(**_SQLITE),
        _REPORTS.format(**_SQLITE),
    ),
    "postgresql": (_TRIALS.format(**_POSTGRESQL), _REPORTS.format(**_POSTGRESQL)),
}
