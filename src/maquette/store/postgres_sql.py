"""The statements of `optimistic`, in PostgreSQL's own SQL.

They are sound because nothing in them relies on the statement's snapshot, which may be older than
the lock that it waits for. The head and the leases are read by locking their rows, and at read
committed PostgreSQL then goes by the newest version of a row and tests its conditions again. A
lease that the view has not is inserted, and a key that is there already refuses the whole.
"""

from __future__ import annotations

import functools
from typing import Final

LOOK: Final = """
SELECT s.n_events, s.n_trials, s.n_jobs, extract(epoch FROM clock_timestamp())::float8,
    l.job, l.trial, l.owner, l.token, l.expires
FROM studies s LEFT JOIN leases l ON l.study = s.id AND l.job = ANY(%(jobs)s::bigint[])
WHERE s.id = %(study)s
"""
"""Reads a study's head and some of its leases."""

READ: Final = """
SELECT number, time, kind, trial, job, body FROM events
WHERE study = %(study)s AND number > %(after)s AND number <= %(last)s ORDER BY number
"""
"""Reads events: what drivers do most, and several times cheaper than through SQLAlchemy."""

_HEAD = """
WITH locked AS MATERIALIZED (
    SELECT id, n_events, n_trials, n_jobs FROM studies WHERE id = %(study)s FOR UPDATE
),
clock AS MATERIALIZED (SELECT extract(epoch FROM clock_timestamp())::float8 AS now FROM locked),
good AS MATERIALIZED (
    SELECT l.job FROM leases l, unnest(%(jobs)s::bigint[], %(trials)s::bigint[],
        %(owners)s::text[], %(tokens)s::bigint[], %(lapsed)s::boolean[])
        AS v (job, trial, owner, token, lapsed)
    WHERE l.study = (SELECT id FROM locked) AND l.job = v.job
    AND l.trial = v.trial AND l.token = v.token
    AND CASE WHEN %(assumed)s THEN l.owner IS NOT NULL ELSE
        l.owner IS NOT DISTINCT FROM v.owner
        AND coalesce(l.expires <= (SELECT now FROM clock), false) = v.lapsed
    END
    FOR UPDATE OF l
),
head AS MATERIALIZED (
    SELECT locked.id, locked.n_events, clock.now FROM locked, clock
    WHERE (%(n_events)s::bigint IS NULL OR locked.n_events = %(n_events)s)
    AND (%(n_jobs)s::bigint IS NULL
        OR (locked.n_trials, locked.n_jobs) = (%(n_trials)s::bigint, %(n_jobs)s::bigint))
    AND (SELECT count(*) FROM good) = %(n_held)s
)
"""
_EVENTS = """
, advanced AS (
    UPDATE studies s SET n_events = s.n_events + %(more_events)s,
        n_trials = s.n_trials + %(more_trials)s, n_jobs = s.n_jobs + %(more_jobs)s
    FROM head WHERE s.id = head.id
), appended AS (
    INSERT INTO events (study, number, time, kind, trial, job, body)
    SELECT head.id, head.n_events + b.place, head.now, b.kind, b.trial, b.job, b.body
    FROM head, unnest(%(kinds)s::text[], %(of_trials)s::bigint[], %(of_jobs)s::bigint[],
        %(bodies)s::text[]) WITH ORDINALITY AS b (kind, trial, job, body, place)
)
"""
_NEW = """
, added AS (
    INSERT INTO leases (study, job, trial, owner, token, expires)
    SELECT head.id, c.job, c.trial, c.owner, c.token, head.now + c.remaining
    FROM head, unnest(%(new_jobs)s::bigint[], %(new_trials)s::bigint[], %(new_owners)s::text[],
    %(new_tokens)s::bigint[], %(new_remaining)s::float8[])
        AS c (job, trial, owner, token, remaining)

)
"""
_CHANGED = """
, changed AS (
    UPDATE leases l SET owner = c.owner, token = c.token, expires = head.now + c.remaining
    FROM head, unnest(%(old_jobs)s::bigint[], %(old_trials)s::bigint[], %(old_owners)s::text[],
    %(old_tokens)s::bigint[], %(old_remaining)s::float8[])
        AS c (job, trial, owner, token, remaining)

    WHERE l.study = head.id AND l.job = c.job
)
"""
_GONE = """
, dropped AS (
    DELETE FROM leases l USING head WHERE l.study = head.id AND l.job = ANY(%(gone)s::bigint[])
)
"""
# A transaction without events has nothing that must outlive a crash of the server: a lease that it
# took is as good as one that was lost. It lets go of the lock without waiting for the disk.
_ANSWER = """
SELECT head.n_events, head.now,
    CASE WHEN head.now IS NULL OR %(more_events)s = 0
        THEN set_config('synchronous_commit', 'off', true) END
FROM (VALUES (1)) AS one (row) LEFT JOIN head ON true
"""
_PARTS = {"bodies": _EVENTS, "new_jobs": _NEW, "old_jobs": _CHANGED, "gone": _GONE}


@functools.cache
def statement(*written: str) -> str:
    """Return the statement that writes these parts: fewer than a dozen sets of them occur."""
    return "".join((_HEAD, *(_PARTS[name] for name in written), _ANSWER))
