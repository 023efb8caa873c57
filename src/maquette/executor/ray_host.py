"""The actor that runs one job on its node of a Ray cluster, and outlives the driver.

The job runs in a process of its own below the actor's, as on any machine: time and memory are
watched there, its output is kept, and it ends with the actor. What it says waits in a mailbox for
whoever drives the study. When nobody does by the time the job ends, what it said moves to an actor
that takes up no resources.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any, final

from maquette.errors import ExecutorError
from maquette.executor.function import Described
from maquette.executor.kinds import Process
from maquette.executor.mailbox import Mailbox
from maquette.executor.process import ProcessExecutor
from maquette.executor.wire import (
    Message,
    decision_from_json,
    outcome_to_json,
    report_to_json,
    task_from_json,
)
from maquette.trial import Decision, Report

# All of Maquette's actors live in one namespace, whatever namespace a driver has.
NAMESPACE = "maquette"
KEEPER = "/end"
# Drivers that come and go may each have a call waiting.
CALLS = 16
_TICK = 0.2


def options(name: str) -> dict[str, Any]:
    """Return how Ray keeps an actor that outlives who started it."""
    return {
        "name": name,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "max_restarts": 0,
        "max_concurrency": CALLS,
    }


@final
class Host:
    """Runs one job; every method returns at once, or waits for news as long as it is told.

    Parameters
    ----------
    name
        The actor's own name.
    order
        The task, how its function is found, the driver's `sys.path` and folder, and the options.
    """

    def __init__(self, name: str, order: Message) -> None:
        self._name, self._order = name, order
        self._box = Mailbox(order["task"]["token"], order["patience"])
        threading.Thread(target=self._run, daemon=True).start()

    def hear(
        self, token: int, known: int, answers: Sequence[tuple[int, Message]], wait: float
    ) -> Message:
        """Take answers and return news; see `Mailbox.hear`."""
        return {**self._box.hear(token, known, answers, wait), "node": socket.gethostname()}

    def cancel(self, token: int) -> bool:
        """End the job; False if it belongs to another driver."""
        return self._box.cancel(token)

    def _run(self) -> None:
        try:
            outcome = self._outcome()
        except ExecutorError as error:
            outcome = {"refused": list(error.problems), "hint": error.hint}
        except Exception as error:  # whoever waits for this job must hear of it
            outcome = {"refused": [f"the host failed: {type(error).__name__}: {error}"], "hint": ""}
        self._box.end(outcome)
        self._leave()

    def _outcome(self) -> Message:
        order = self._order
        with contextlib.suppress(OSError):
            os.chdir(order["cwd"])
        sys.path += [p for p in order["path"] if p not in sys.path and os.path.exists(p)]
        task = task_from_json(order["task"])
        fn = Described(_found(order["function"], order["carried"]))
        with closing(ProcessExecutor(fn, 1, Process(threads=None, grace=order["grace"]))) as one:
            one.start(task)
            while True:
                if self._box.cancelled:
                    one.cancel(task.job)
                for outcome in one.poll(_TICK, self._on_report):
                    return outcome_to_json(outcome)

    def _on_report(self, job: int, report: Report) -> Decision:
        return decision_from_json(self._box.report(report_to_json(report)))

    def _leave(self) -> None:
        """Give the resources back once no driver comes to hear how the job ended."""
        import ray

        while self._box.silence() < self._order["patience"]:
            time.sleep(_TICK)
        keeper = (
            ray.remote(Keeper)
            .options(**options(self._name + KEEPER), num_cpus=0)
            .remote(self._box.reports, self._box.outcome, self._box.token, self._order["keep"])
        )
        ray.get(keeper.ready.remote())
        os._exit(0)


@final
class Keeper:
    """Keeps what a job said and how it ended, for `keep` seconds; takes up no resources."""

    def __init__(self, reports: list[Message], outcome: Message, token: int, keep: float) -> None:
        self._box = Mailbox(token, 0.0)
        self._box.reports += reports
        self._box.end(outcome)
        threading.Thread(target=self._end_after, args=(keep,), daemon=True).start()

    def ready(self) -> None:
        """Return once the actor is there."""

    def hear(
        self, token: int, known: int, answers: Sequence[tuple[int, Message]], wait: float
    ) -> Message:
        """Return what the job said; see `Mailbox.hear`."""
        return {**self._box.hear(token, known, answers, wait), "node": socket.gethostname()}

    def cancel(self, token: int) -> bool:
        """Do nothing: the job has ended. False if it belongs to another driver."""
        return self._box.cancel(token)

    def _end_after(self, keep: float) -> None:
        while self._box.silence() < keep:
            time.sleep(min(keep, 60.0))
        os._exit(0)


def _found(reference: Message, carried: Message | None) -> Message:
    """Return how the function is found on this node: by its file, or as it was carried along."""
    file = reference.get("file")
    if carried is None or file is None or os.path.isfile(file):
        return reference
    return carried
