"""Which trials pend, which jobs wait, and which run."""

from __future__ import annotations

from typing import final


@final
class Unfinished:
    """Trials and jobs that have not ended; written by `History` alone.

    Attributes
    ----------
    pending
        Trials that have not ended, in order of proposal.
    queued
        Jobs that wait to be started, in the order in which they began to wait.
    running
        Jobs that have been started and have not ended.
    """

    def __init__(self) -> None:
        self.pending: dict[int, None] = {}
        self.queued: dict[int, None] = {}
        self.running: set[int] = set()

    def propose(self, trial: int, job: int) -> None:
        """A job of a trial was proposed."""
        self.pending[trial] = None
        self.queued[job] = None

    def requeue(self, job: int) -> None:
        """A job waits to be started again."""
        self.running.discard(job)
        self.queued[job] = None

    def start(self, job: int) -> None:
        """A job was started."""
        self.queued.pop(job, None)
        self.running.add(job)

    def end(self, job: int, trial: int | None = None) -> None:
        """A job runs and waits no more, nor does the trial pend if it is given."""
        self.queued.pop(job, None)
        self.running.discard(job)
        if trial is not None:
            self.pending.pop(trial, None)
