"""A history written by hand: trials proposed, reported and ended without a store or a clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from maquette.events import Body, Ended, Event, Proposed, Reported, Started
from maquette.fidelity import Fidelity
from maquette.history import History, Problem
from maquette.search.protocol import Searcher
from maquette.trial import Job, State, Suggestion


@final
class Script:
    """Writes events in order and keeps the history that they fold to.

    Attributes
    ----------
    events
        The events so far.
    history
        Their fold.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.events: list[Event] = []
        self.history = History(problem)

    def write(self, body: Body) -> None:
        """Append one event; time is its number."""
        event = Event(len(self.events) + 1, float(len(self.events) + 1), body)
        self.events.append(event)
        self.history.extend([event])

    def prefix(self, n: int) -> History:
        """Return a fresh fold of the first `n` events."""
        return History(self.problem, self.events[:n])

    def propose(self, job: Job, *, start: bool = True) -> int:
        """Propose a job and, if asked, start it; return its number."""
        new = job.trial is None
        number = len(self.history.jobs)
        trial = len(self.history.trials) if job.trial is None else job.trial
        fidelity, suggestion = job.fidelity, job.suggestion
        self.write(
            Proposed(
                trial,
                number,
                dict(suggestion.config) if new else None,
                until=dict(fidelity.until),
                scale=dict(fidelity.scale),
                instance=fidelity.instance,
                first_step=job.first_step,
                start=job.start,
                final=job.final,
                origin=suggestion.origin,
                why=dict(suggestion.why),
                basis=self.history.last,
            )
        )
        if start:
            self.write(Started(trial, number, "script", 1))
        return number

    def report(self, job: int, step: float, loss: float) -> None:
        """Report the primary loss of a running job."""
        metrics = {self.history.objective.primary: loss}
        self.write(Reported(self.history.jobs[job].trial, job, step, metrics))

    def end(
        self,
        job: int,
        loss: float | None = None,
        state: State | None = None,
        cost: float | None = None,
    ) -> None:
        """End a job: done (paused if it is not final) with a loss, or in the state given."""
        record = self.history.jobs[job]
        default = State.DONE if record.final else State.PAUSED
        metrics = {} if loss is None else {self.history.objective.primary: loss}
        self.write(Ended(record.trial, job, state or default, metrics, cost))

    def try_config(
        self,
        config: Mapping[str, Any],
        loss: float | None = None,
        state: State | None = None,
        at: Fidelity | None = None,
    ) -> int:
        """Propose, start and end one trial; with neither loss nor state it stays running."""
        job = self.propose(Job(Suggestion(dict(config)), at or Fidelity()))
        if loss is not None or state is not None:
            self.end(job, loss, state)
        return self.history.jobs[job].trial


Function = Callable[[Mapping[str, Any]], float]


def search(
    problem: Problem,
    searcher: Searcher,
    function: Function,
    trials: int,
    *,
    workers: int = 1,
    at: Fidelity | None = None,
) -> Script:
    """Run a searcher on a function of the config, until it has `trials` or suggests nothing.

    Results come back in order of proposal.

    A result that is not finite ends its trial as diverged. With several workers the oldest of
    `workers` pending trials ends before the next is proposed.
    """
    script, at = Script(problem), at or Fidelity()
    running: list[int] = []
    while True:
        wanted = len(script.history.trials) < trials and len(running) < workers
        if wanted and (found := ask(script.history, searcher, at)):
            running.append(script.propose(Job(found[0], at)))
        elif not running:
            return script
        else:
            job = running.pop(0)
            loss = function(script.history.trials[script.history.jobs[job].trial].config)
            finite = math.isfinite(loss)
            script.end(job, loss if finite else None, None if finite else State.DIVERGED)


def ask(
    history: History, searcher: Searcher, at: Fidelity | None = None, n: int = 1
) -> Sequence[Suggestion]:
    """Ask a searcher as a study does."""
    return searcher.suggest(history, at or Fidelity(), n, history.rng())
