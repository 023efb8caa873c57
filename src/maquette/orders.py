"""Orders: what users ask of a study while it runs, folded from its events."""

from __future__ import annotations

from typing import final

from maquette.events import Enqueued, ProgramChanged, Proposed, StopAsked

ENQUEUED = "enqueued"
"""The key in a proposal's `why` that holds the number of the event which asked for its config."""

STOPPED = "stopped by the user"
"""What is said of a trial that a user stopped."""


@final
class Orders:
    """What users asked for so far; written by `History` alone.

    Attributes
    ----------
    stop, stop_now
        Numbers of the latest events that ask all drivers to drain, and to cancel; 0: none. A
        driver that began later goes on.
    started
        Number of the latest event by which a job began.
    trials
        Trials that are to stop, and whether at once.
    queue
        Configs to try next, by the number of the event that asked for them, oldest first.
    program
        What a sweep runs; None: the study's function is no program.
    """

    def __init__(self) -> None:
        self.stop = 0
        self.stop_now = 0
        self.started = 0
        self.trials: dict[int, bool] = {}
        self.queue: dict[int, Enqueued] = {}
        self.program: ProgramChanged | None = None

    def take(self, number: int, body: StopAsked | Enqueued | ProgramChanged) -> None:
        """Fold one event."""
        match body:
            case StopAsked(trials=()):
                self.stop = number
                self.stop_now = number if body.now else self.stop_now
            case StopAsked():
                for trial in body.trials:
                    self.trials[trial] = body.now or self.trials.get(trial, False)
            case Enqueued():
                self.queue[number] = body
            case ProgramChanged():
                self.program = body

    def proposed(self, body: Proposed) -> None:
        """Strike the config of a new trial off the queue, if it came from there."""
        if ENQUEUED in body.why:
            self.queue.pop(int(body.why[ENQUEUED]), None)

    def stopping(self, since: int) -> int:
        """Return what drivers at work since event `since` are to do: 0 go on, 1 drain, 2 cancel."""
        return (self.stop > since) + (self.stop_now > since)
