"""How a job and its driver speak where no pipe joins them: through a folder that both can reach.

The run of a job has a folder of its own in the trial's, so that a run which comes back from the
dead meets nobody. Each file in it has one writer:

``task.json``      the driver: what is to be run, and how the function is found
``place.json``     the driver: where the batch system has the job
``holder.json``    the driver: the fencing token of the lease under which it minds the job
``answers.jsonl``  the driver: the n-th decision, which answers the n-th report
``end``            the driver: its presence tells the job to end
``reports.jsonl``  the job's first rank: one report a line
``rank-3.json``    the job's rank 3: how it failed
``outcome.json``   the job's first rank: how the job ended
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, final

from maquette.executor.lines import LineReader, append_line, parse_line
from maquette.executor.protocol import Outcome
from maquette.executor.wire import (
    Message,
    decision_from_json,
    decision_to_json,
    outcome_from_json,
    outcome_to_json,
    report_from_json,
    report_to_json,
)
from maquette.files import write_whole
from maquette.trial import Decision, Report

RUNS = "runs"
_TASK, _PLACE, _END, _OUTCOME = "task.json", "place.json", "end", "outcome.json"
_HOLDER = "holder.json"
_REPORTS, _ANSWERS = "reports.jsonl", "answers.jsonl"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25


def new_run(root: Path, job: int, attempt: int) -> Path:
    """Make the folder of a new run of a job, below the trial's folder."""
    folder = root / RUNS / f"{job}-{attempt}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True)
    # Made before anybody looks: file systems remember for a while that a file is not there.
    for file in (_REPORTS, _ANSWERS):
        (folder / file).touch()
    return folder


def runs_of(root: Path, job: int) -> list[Path]:
    """Return the folders of a job's runs so far, of every attempt, the latest last."""
    found = (root / RUNS).glob(f"{job}-*-*")
    return sorted(found, key=lambda path: path.stat().st_mtime)


@final
class DriverSide:
    """The driver's end of one run.

    Parameters
    ----------
    folder
        The run's folder.
    known
        How many reports the driver knows already, of a run that it takes over.
    """

    def __init__(self, folder: Path, known: int = 0) -> None:
        self.folder = folder
        self._reports = LineReader(folder / _REPORTS)
        self._answers = folder / _ANSWERS
        self._count = 0
        self._known = known
        self._answered = len(LineReader(self._answers).read())

    def brief(self, message: Mapping[str, Any]) -> None:
        """Say what is to be run."""
        write_whole(self.folder / _TASK, json.dumps(message))

    def placed(self, place: Mapping[str, Any]) -> None:
        """Note where the batch system has the job; without it the job does not begin."""
        write_whole(self.folder / _PLACE, json.dumps(place))

    def place(self) -> Message | None:
        """Return where the batch system has the job; None if it was never handed in."""
        return _read(self.folder / _PLACE)

    def claim(self, token: int) -> None:
        """Take the run over; a driver with an older token may not end it any more."""
        write_whole(self.folder / _HOLDER, json.dumps({"token": token}))

    def is_held(self, token: int) -> bool:
        """Whether no driver with a younger token minds the run."""
        holder = _read(self.folder / _HOLDER)
        return holder is None or holder["token"] <= token

    def reports(self) -> Iterator[Report]:
        """Return the reports that are new, one at a time; `answer` each before the next."""
        for row in self._reports.read():
            self._count += 1
            if self._count > self._known:
                yield report_from_json(row)
            elif self._count > self._answered:
                self.answer(Decision())  # its driver heard it, and died before it spoke

    def answer(self, decision: Decision) -> None:
        """Answer the report that `reports` gave last."""
        append_line(self._answers, {"n": self._count, **decision_to_json(decision)})

    def end(self) -> None:
        """Tell the job to end."""
        (self.folder / _END).touch()

    def outcome(self) -> Outcome | None:
        """Return how the job ended; None while it has not said."""
        row = _read(self.folder / _OUTCOME)
        return None if row is None else outcome_from_json(row)


@final
class JobSide:
    """The job's end of one run, on one of its ranks.

    Parameters
    ----------
    folder
        The run's folder.
    rank
        Which of the job's ranks this is. The first alone reports; the others hear the answers.
    patience
        Seconds to wait for an answer. Who hears none goes on, and waits no more until there is
        one: a driver that is gone holds nobody up.
    """

    def __init__(self, folder: Path, rank: int = 0, patience: float = 30.0) -> None:
        self.folder = folder
        self._rank = rank
        self._patience = patience
        self._answers = LineReader(folder / _ANSWERS)
        self._answered: dict[int, Decision] = {}
        self._asked = 0
        self._heard = 0
        self._alone = False

    def brief(self) -> Message | None:
        """Return what is to be run; None if it cannot be read."""
        return _read(self.folder / _TASK)

    def is_placed(self) -> bool:
        """Whether the driver has noted where this run is, and so will listen to it."""
        return (self.folder / _PLACE).exists()

    def ask(self, report: Report, leave: Callable[[], bool] = lambda: False) -> Decision:
        """Hand over a report; return the decision. It is not waited for once `leave()` is true."""
        self._asked += 1
        if self._rank == 0:
            append_line(self.folder / _REPORTS, report_to_json(report))
        deadline = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            order = self._listen()
            answered = self._heard >= self._asked
            if order is not None:
                return order
            if answered or self._alone or time.monotonic() >= deadline or leave():
                self._alone = not answered
                return Decision()
            time.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)

    def _listen(self) -> Decision | None:
        """Return the first order to stop or pause among the answers up to the current report."""
        for row in self._answers.read():
            self._heard, self._alone = row["n"], False
            self._answered[row["n"]] = decision_from_json(row)
        # An answer to a later report is not for now: ranks that do not keep pace stay in step.
        due = [self._answered.pop(n) for n in sorted(self._answered) if n <= self._asked]
        return next((decision for decision in due if not decision), None)

    def is_to_end(self) -> bool:
        """Whether the driver wants the job to end."""
        return (self.folder / _END).exists()

    def fail(self, outcome: Outcome) -> None:
        """Say how this rank failed, which ends the job."""
        path = self.folder / f"rank-{self._rank}.json"
        write_whole(path, json.dumps(outcome_to_json(outcome)))

    def failed(self) -> tuple[int, Outcome] | None:
        """Return a rank that failed, and how; None while there is none."""
        for path in sorted(self.folder.glob("rank-*.json")):
            row = _read(path)
            if row is not None:
                return int(path.stem.removeprefix("rank-")), outcome_from_json(row)
        return None

    def finish(self, outcome: Outcome) -> None:
        """Say how the job ended."""
        write_whole(self.folder / _OUTCOME, json.dumps(outcome_to_json(outcome)))

    def is_finished(self) -> bool:
        """Whether the first rank has said how the job ended."""
        return (self.folder / _OUTCOME).exists()


def _read(path: Path) -> Message | None:
    try:
        return parse_line(path.read_bytes())
    except OSError:
        return None
