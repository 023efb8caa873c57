"""What a driver does when users ask it, from any process, to stop or to stop a trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import final

from maquette.executor.protocol import Executor, Outcome
from maquette.history import History, JobRecord
from maquette.orders import STOPPED
from maquette.trial import Action, Decision, State


@final
class Obedience:
    """Follows the orders in a history, for one driver and its executor."""

    def __init__(self, history: History, executor: Executor) -> None:
        self._history, self._executor = history, executor
        # Orders that are older than this driver were for those before it.
        self._since = history.last
        self._cancelled: set[int] = set()

    def follow(self, running: Iterable[int]) -> int:
        """Cancel the running jobs that are to stop now; return 0 to go on, 1 to drain, 2 to end."""
        orders = self._history.orders
        for number in running if orders.trials else ():
            trial = self._history.jobs[number].trial
            if orders.trials.get(trial) and number not in self._cancelled:
                self._cancelled.add(number)
                self._executor.cancel(number)
        return orders.stopping(self._since)

    def unwanted(self, job: JobRecord) -> bool:
        """Whether a job's trial is to stop."""
        return job.trial in self._history.orders.trials

    def answer(self, job: JobRecord, *, inline: bool) -> Decision | None:
        """Return what a report is answered; None: nobody asked for anything.

        Raises
        ------
        KeyboardInterrupt
            If all is to stop now, and the user's function runs in this very thread.
        """
        if inline and self._history.orders.stopping(self._since) >= 2:
            raise KeyboardInterrupt
        return Decision(Action.STOP, job.trial, STOPPED) if self.unwanted(job) else None

    def judged(self, job: JobRecord, outcome: Outcome) -> Outcome:
        """Return an outcome as it is to be recorded: a trial cancelled by a user is stopped."""
        if outcome.state is State.INTERRUPTED and self.unwanted(job):
            return replace(outcome, state=State.STOPPED, message=STOPPED)
        return outcome
