"""A peer as a searcher and a scheduler of ours, so that it runs on the same virtual clock.

The peer is a state machine in another process: it hears of every trial that has ended since the
last question, in the order of the end events, and is then asked. One study, one driver, one peer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import numpy as np

from maquette.bench.peers.client import PeerError, PeerProcess, PeerUnsupportedError
from maquette.errors import SpaceError
from maquette.fidelity import Fidelity
from maquette.history import History, TrialRecord
from maquette.schedule.full import Full
from maquette.schedule.protocol import Done, Wait
from maquette.search.protocol import Searcher
from maquette.space import Space
from maquette.trial import Action, Config, Decision, Job, State, Suggestion

# So many proposals in a row may break the space's constraints.
_REJECTED = 100


@final
class PeerSearcher:
    """Asks a peer for configs.

    Parameters
    ----------
    peer
        Its process, to which nothing was said yet.
    method
        Which of its methods.
    problem
        Seed, trials (None: the budget is another), workers, duration.
    space
        What may vary. A proposal that breaks a constraint is told as a failure that cost nothing.

    Attributes
    ----------
    versions
        Distribution to version, as the peer's environment has them.
    schedules
        Whether the peer decides on running trials.
    refused
        How many proposals broke a constraint.
    until
        Trial to the duration that the peer wants it run to; None: the full one.

    Raises
    ------
    PeerError
        If the peer fails, hangs, or cannot do it.
    """

    def __init__(
        self, peer: PeerProcess, method: str, problem: Mapping[str, Any], space: Space
    ) -> None:
        self._peer, self._space = peer, space
        started = peer.request("start", method=method, space=space.to_json(), **problem)
        self.versions: Mapping[str, str] = started["versions"]
        self.schedules: bool = started["schedules"]
        self._observes: bool = started["observes"]
        self._recommends: bool = started["recommends"]
        self._asked = 0
        self._told = 0
        self._names: dict[int, int] = {}  # trial to the number under which the peer knows it
        self.refused = 0
        self.until: dict[int, float | None] = {}

    def suggest(
        self, history: History, at: Fidelity, n: int, rng: np.random.Generator
    ) -> Sequence[Suggestion]:
        """Tell the peer what has ended, and return its next proposals; none: it waits."""
        self.catch_up(history)
        found: list[Suggestion] = []
        for number in range(len(history.trials), len(history.trials) + n):
            config = self._ask(number)
            if config is None:
                break
            found.append(Suggestion(config, self._peer.name))
        if not found and not history.pending:
            raise PeerError(f"{self._peer.name} proposes nothing, and waits for nothing")
        return found

    def catch_up(self, history: History) -> None:
        """Tell the peer of every trial that has ended since the last time."""
        ended = history.finished.trial
        for number in ended[self._told :].tolist():
            self._tell(history.trials[number])
        self._told = len(ended)

    def recommend(self, history: History) -> Config | None:
        """Return the peer's own recommendation; None where it has none."""
        if not self._recommends:
            return None
        self.catch_up(history)
        config = self._peer.request("recommend")
        return None if config is None else self._space.normalise(config)

    def goes_on(self, trial: TrialRecord) -> bool:
        """Return the peer's decision on a running trial, after its last report."""
        name = self._names.get(trial.number)
        if name is None:
            return True
        curve = {"step": trial.steps[-1], "loss": trial.losses[-1], "seconds": trial.seconds}
        return bool(self._peer.request("report", trial=name, **curve) == "continue")

    def _ask(self, number: int) -> Config | None:
        for _ in range(_REJECTED):
            name, self._asked = self._asked, self._asked + 1
            answer = self._peer.request("ask", trial=name)
            if answer is None:
                return None
            try:
                config = self._space.normalise(answer["config"])
            except SpaceError as error:
                wrong = error
                self.refused += 1
                failed = {"state": "crashed", "loss": None, "seconds": 0.0, "cost": 0.0}
                self._peer.post("tell", trial=name, **failed)
                continue
            self._names[number] = name
            self.until[number] = answer["until"]
            return config
        raise PeerError(
            f"{self._peer.name} proposed {_REJECTED} configs in a row outside the space: {wrong}"
        )

    def _tell(self, trial: TrialRecord) -> None:
        done = trial.state is State.DONE and bool(np.isfinite(trial.loss))
        loss = float(trial.loss) if done else None
        name = self._names.pop(trial.number, None)
        if name is not None:
            spent = {"seconds": trial.seconds, "cost": trial.cost}
            self._peer.post("tell", trial=name, state=trial.state.value, loss=loss, **spent)
        elif not self._observes:
            raise PeerUnsupportedError(
                f"{self._peer.name} cannot be told of configs that it did not propose"
            )
        elif loss is not None:
            self._peer.post("observe", config=dict(trial.config), loss=loss)


@final
class PeerScheduler:
    """Runs trials as far as the peer says, and asks it after every report if it schedules.

    Parameters
    ----------
    peer
        The searcher, which holds the peer.
    """

    def __init__(self, peer: PeerSearcher) -> None:
        self._peer = peer
        self._full = Full()

    def next(
        self, history: History, searcher: Searcher, n: int, rng: np.random.Generator
    ) -> Sequence[Job] | Wait | Done:
        """Return the peer's next trials; `Wait` if it wants results first."""
        jobs = self._full.next(history, searcher, n, rng)
        if isinstance(jobs, Wait | Done):
            return jobs
        first = len(history.trials)
        new = [job for job in jobs if job.trial is None]
        cut = [self._cut(history, job, first + i) for i, job in enumerate(new)]
        kept = [job for job in jobs if job.trial is not None] + cut
        return kept or Wait("the peer waits for results")

    def decide(self, history: History, trial: int) -> Sequence[Decision]:
        """Return the peer's decision after a report that is not the last one."""
        record = history.trials[trial]
        whole = record.reached >= history.problem.duration.full
        if not self._peer.schedules or whole or record.state is not State.RUNNING:
            return ()
        if self._peer.goes_on(record):
            return ()
        return (Decision(Action.STOP, trial, "the peer stops it"),)

    def _cut(self, history: History, job: Job, number: int) -> Job:
        until = self._peer.until.get(number)
        duration = history.problem.duration
        if until is None or until >= duration.full:
            return job
        at = Fidelity(duration.until(until), job.fidelity.scale, job.fidelity.instance)
        return replace(job, fidelity=at, final=True)
