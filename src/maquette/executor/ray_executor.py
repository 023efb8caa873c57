"""The Ray executor: each job is an actor on some node, which outlives the driver and its node not.

Actors are named after study, job and attempt, and a driver hears them by long calls, one at a time
for each job, which carry answers there and news back. A call may be repeated without harm.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from maquette.errors import ExecutorError
from maquette.executor.admission import admit
from maquette.executor.function import describe, module_path
from maquette.executor.protocol import Function, OnReport, Outcome, Task
from maquette.executor.ray import Ray
from maquette.executor.ray_cluster import carried, connect, demands, has_room, load, verdict
from maquette.executor.ray_host import KEEPER, NAMESPACE, Host, options
from maquette.executor.wire import (
    Message,
    decision_to_json,
    outcome_from_json,
    report_from_json,
    task_to_json,
)
from maquette.trial import State

# How long a host waits for news before it says that there are none.
_WAIT = 5.0
# How long a call waits that comes after one to a node which could not be reached.
_PAUSE = 0.5
# What a host that still answers has beyond the grace to end its job.
_SLACK = 5.0

log = logging.getLogger("maquette")


@final
@dataclass(slots=True, eq=False)
class _Job:
    """A job on its way, as this driver knows it."""

    task: Task
    name: str
    host: Any
    known: int = 0
    answers: list[tuple[int, Message]] = field(default_factory=list)
    node: str = ""
    cancelled: bool = False
    forgotten: bool = False
    end_at: float | None = None
    call_at: float = 0.0


@final
class RayExecutor:
    """Runs jobs on a Ray cluster.

    Parameters
    ----------
    fn
        What a job runs. A function that the nodes cannot import travels by cloudpickle.
    workers
        How many jobs may run, or wait for room in the cluster, at once.
    options
        See `Ray`.

    Raises
    ------
    ExecutorError
        If Ray is not installed, no cluster answers, or the function cannot travel.
    """

    def __init__(self, fn: Function, workers: int, options: Ray) -> None:
        self._ours = connect(options.address)
        self._ray: Any = load()
        self._host = self._ray.remote(Host)
        self._slots = workers
        self._options = options
        self._reference = describe(fn)
        self._carried = carried(fn, self._reference)
        self._own = secrets.token_hex(4)
        self._jobs: list[_Job] = []
        self._calls: dict[Any, _Job] = {}
        self._heard: list[_Job] = []
        self._outcomes: list[Outcome] = []
        self._closed = False
        if not has_room(options):
            log.warning(
                "no node of the Ray cluster has what a job needs; jobs wait until one comes"
            )

    @property
    def slots(self) -> int:
        """How many jobs may run at once."""
        return self._slots

    def start(self, task: Task) -> None:
        """Start a job, as soon as a node has room for it.

        Raises
        ------
        ExecutorError
            If there is no free slot, or the job runs already.
        """
        self._check(task)
        self._release()
        name = f"{self._base(task)}{secrets.token_hex(4)}"
        order = {
            "task": task_to_json(task),
            "function": self._reference,
            "carried": self._carried,
            "path": module_path(),
            "cwd": os.getcwd(),
            "grace": self._options.grace,
            "patience": self._options.patience,
            "keep": self._options.keep,
        }
        wanted = demands(self._options)
        host = self._host.options(**options(name), **wanted).remote(name, order)
        self._jobs.append(_Job(task, name, host))

    def survivors(self, tasks: Sequence[Task]) -> Collection[int]:
        """Return which of these jobs have an actor in the cluster."""
        names = self._names()
        return {t.job for t in tasks if any(n.startswith(self._base(t)) for n in names)}

    def adopt(self, task: Task, reports: int) -> None:
        """Take over a job that `survivors` named."""
        base = self._base(task)
        # Where there are both, the job's own actor is about to go.
        names = sorted((n for n in self._names() if n.startswith(base)), key=len)
        name = names[-1] if names else base
        job = _Job(task, name.removesuffix(KEEPER), self._actor(name), known=reports)
        if job.host is None:
            text = "its actor died before it was taken over"
            self._outcomes.append(Outcome(task.job, State.INTERRUPTED, message=text, lost=True))
        else:
            self._jobs.append(job)

    def poll(self, timeout: float, on_report: OnReport) -> Sequence[Outcome]:
        """Wait up to `timeout` seconds; answer reports, return what ended."""
        self._release()
        deadline = time.monotonic() + timeout
        while True:
            self._end_overdue()
            if self._outcomes or self._closed:
                outcomes, self._outcomes = self._outcomes, []
                return outcomes
            left = max(0.0, deadline - time.monotonic())
            self._turn(min(left, _PAUSE), on_report)
            if not self._outcomes and time.monotonic() >= deadline:
                return []

    def cancel(self, job: int) -> None:
        """End a job: TERM to its process group, KILL after the grace. Its slot is free at once."""
        for running in self._jobs:
            if running.task.job == job and not running.cancelled:
                running.cancelled = True
                running.host.cancel.remote(running.task.token)
                # An actor that never spoke may wait for room for hours.
                patience = self._options.grace + _SLACK if running.node else 0.0
                running.end_at = time.monotonic() + patience

    def close(self) -> None:
        """Cancel what runs and end its actors."""
        if self._closed:
            return
        for job in self._jobs:
            self.cancel(job.task.job)
        with contextlib.suppress(Exception):  # the cluster itself may be gone
            while self._jobs:
                self._end_overdue()
                self._turn(0.1, None)
            self._release()
        self._closed = True
        self._outcomes.clear()
        if self._ours:
            self._ray.shutdown()

    # --- calls -----------------------------------------------------------------------------

    def _call(self) -> None:
        """Hand over answers and wait for news, wherever no call is under way."""
        now, busy = time.monotonic(), {id(job) for job in self._calls.values()}
        for job in self._jobs:
            if id(job) not in busy and job.call_at <= now:
                call = job.host.hear.remote(job.task.token, job.known, job.answers, _WAIT)
                self._calls[call] = job

    def _turn(self, timeout: float, on_report: OnReport | None) -> None:
        """Wait for news from any job and take it."""
        self._call()
        if not self._calls:
            time.sleep(timeout)
            return
        calls = list(self._calls)
        ready, rest = self._ray.wait(calls, num_returns=1, timeout=timeout)
        if ready and rest:
            ready += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        for call in ready:
            self._take(call, on_report)

    def _take(self, call: Any, on_report: OnReport | None) -> None:
        job = self._calls.pop(call)
        if job not in self._jobs:
            return
        exceptions = self._ray.exceptions
        try:
            news: Message = self._ray.get(call)
        except exceptions.ActorUnavailableError:
            job.call_at = time.monotonic() + _PAUSE
            return
        except exceptions.RayError as error:
            self._lose(job, error)
            return
        if news["lost"]:  # another driver has taken over; this one will find out
            self._jobs.remove(job)
            return
        job.node = news["node"]
        job.answers = []
        for report in news["reports"]:
            self._answer(job, report, on_report)
        if news["outcome"] is not None:
            self._end(job, news["outcome"])

    # --- ends ------------------------------------------------------------------------------

    def _answer(self, job: _Job, report: Message, on_report: OnReport | None) -> None:
        if on_report is not None and not job.cancelled:
            decision = on_report(job.task.job, report_from_json(report))
            job.answers.append((job.known, decision_to_json(decision)))
        job.known += 1

    def _end(self, job: _Job, outcome: Message) -> None:
        """A job has ended; its actor goes once the driver has written that down."""
        self._heard.append(job)
        self._jobs.remove(job)
        if "refused" in outcome:
            raise ExecutorError(
                [f"a job cannot run on {job.node}: {p}" for p in outcome["refused"]],
                hint=outcome["hint"],
            )
        self._finish(job, outcome_from_json(outcome))

    def _lose(self, job: _Job, error: Exception) -> None:
        """An actor is gone: it may have left what it kept, or else the job is lost with it."""
        keeper = self._actor(job.name + KEEPER)
        if keeper is not None:
            job.host = keeper
            return
        self._jobs.remove(job)
        if job.cancelled:
            self._finish(job, Outcome(job.task.job, State.INTERRUPTED, message="cancelled"))
        else:
            self._finish(job, verdict(error, job.task, job.node))

    def _finish(self, job: _Job, outcome: Outcome) -> None:
        if not job.forgotten:
            self._outcomes.append(outcome)

    def _end_overdue(self) -> None:
        """Kill the actors of cancelled jobs that do not end."""
        now = time.monotonic()
        late = [j for j in self._jobs if j.end_at is not None and now >= j.end_at]
        for job in late:
            self._jobs.remove(job)
            self._ray.kill(job.host)
            self._finish(job, Outcome(job.task.job, State.INTERRUPTED, message="cancelled"))

    def _release(self) -> None:
        """End the actors whose jobs have ended, now that the driver has their outcomes."""
        heard, self._heard = self._heard, []
        for job in heard:
            for actor in (job.host, self._actor(job.name + KEEPER)):
                if actor is not None:
                    self._ray.kill(actor)

    # --- details ---------------------------------------------------------------------------

    def _base(self, task: Task) -> str:
        return f"{task.study or self._own}/{task.job}/{task.attempt}/"

    def _names(self) -> list[str]:
        rows = self._ray.util.list_named_actors(all_namespaces=True)
        return [row["name"] for row in rows if row["namespace"] == NAMESPACE]

    def _actor(self, name: str) -> Any:
        """Return the actor of that name, None if there is none."""
        try:
            return self._ray.get_actor(name, namespace=NAMESPACE)
        except ValueError:
            return None

    def _check(self, task: Task) -> None:
        if self._closed:
            raise ExecutorError("the executor is closed")
        admit(task, self._jobs, self._slots)
