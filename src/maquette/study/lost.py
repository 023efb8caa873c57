"""Jobs that lost their driver or their machine: started again, given up, or found to go on."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from maquette.events import Ended, Event, Reported, Requeued, Started
from maquette.executor.protocol import Adopting, Executor, Task
from maquette.history import JobRecord
from maquette.trial import State


def again(job: JobRecord, reason: str, retries: int) -> Ended | Requeued:
    """Return the event of a job that was lost: back in the queue, or crashed once too often."""
    if job.starts <= retries:
        return Requeued(job.trial, job.number, reason)
    times = "once" if job.starts == 1 else f"{job.starts} times"
    return Ended(job.trial, job.number, State.CRASHED, message=f"lost {times}: {reason}")


def survivors(executor: Executor, tasks: Iterable[Task]) -> Collection[int]:
    """Return which jobs, whose drivers are gone, go on where this executor finds them."""
    if not isinstance(executor, Adopting):
        return ()
    return frozenset(executor.survivors(list(tasks)))


def report_counts(events: Iterable[Event], jobs: Collection[int]) -> dict[int, int]:
    """Return how many reports of their latest start the events hold, for each of these jobs."""
    counts = dict.fromkeys(jobs, 0)
    for event in events:
        body = event.body
        if isinstance(body, Reported) and body.job in counts:
            counts[body.job] += 1
        elif isinstance(body, Started) and body.job in counts and not body.adopted:
            counts[body.job] = 0
    return counts
