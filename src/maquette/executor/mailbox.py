"""What a job says until a driver has heard it, and what it is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import final

from maquette.executor.wire import Message, decision_to_json
from maquette.trial import Decision

_TICK = 0.5


@final
class Mailbox:
    """Stands between one job and the drivers that come and go. Safe for threads.

    Reports are numbered from 0 and kept; a driver says how many it knows and gets the rest. Calls
    may be repeated, and change nothing the second time.

    Parameters
    ----------
    token
        The fencing token of the driver's lease. A driver with a smaller one has lost the job.
    patience
        Seconds for which a report waits for its answer while no driver is heard of.
    """

    def __init__(self, token: int, patience: float) -> None:
        self.reports: list[Message] = []
        self.outcome: Message | None = None
        self.cancelled = False
        self._token = token
        self._patience = patience
        self._answers: dict[int, Message] = {}
        self._order: Message | None = None
        self._listening = 0
        self._heard_at = time.monotonic()
        self._changed = threading.Condition()

    @property
    def token(self) -> int:
        """The token of the driver that the job belongs to."""
        return self._token

    def silence(self) -> float:
        """Return for how many seconds no driver has listened."""
        with self._changed:
            return 0.0 if self._listening else time.monotonic() - self._heard_at

    # --- the job's side --------------------------------------------------------------------

    def report(self, report: Message) -> Message:
        """Keep a report and wait for the answer; without a driver, go on until one says no."""
        with self._changed:
            number = len(self.reports)
            self.reports.append(report)
            self._changed.notify_all()
            while number not in self._answers and self._order is None and not self.cancelled:
                if self.silence() >= self._patience:
                    break
                self._changed.wait(_TICK)
            return self._order or self._answers.get(number) or decision_to_json(Decision())

    def end(self, outcome: Message) -> None:
        """Keep how the job ended; nothing is reported after it."""
        with self._changed:
            self.outcome = outcome
            self._changed.notify_all()

    # --- the driver's side -----------------------------------------------------------------

    def hear(
        self, token: int, known: int, answers: Sequence[tuple[int, Message]], wait: float
    ) -> Message:
        """Take answers; wait for news and return them.

        Returns
        -------
        Message
            ``{"lost": True}`` if another driver has taken over, else the reports from number
            `known` on, and the outcome once the job has ended.
        """
        with self._changed:
            if token < self._token:
                return {"lost": True}
            self._token = token
            self._answer(known, answers)
            self._listening += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(
                    lambda: (
                        len(self.reports) > known or self.outcome is not None or self._token > token
                    ),
                    wait,
                )
            finally:
                self._listening -= 1
                self._heard_at = time.monotonic()
            return {
                "lost": self._token > token,
                "reports": self.reports[known:],
                "outcome": self.outcome,
            }

    def cancel(self, token: int) -> bool:
        """Ask for the job's end; False if it belongs to another driver."""
        with self._changed:
            if token < self._token:
                return False
            self.cancelled = True
            self._changed.notify_all()
            return True

    def _answer(self, known: int, answers: Sequence[tuple[int, Message]]) -> None:
        for number, decision in answers:
            self._answers[number] = decision
            if decision["action"] != "continue":
                self._order = decision
        # What a driver knows was answered, though the answer may have died with another driver.
        for number in range(known - 1, -1, -1):
            if number in self._answers:
                break
            self._answers[number] = decision_to_json(Decision())
