"""Runs at the target: a few named configs, side by side, each kept so that it is trained once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from maquette.executor import open_executor
from maquette.executor.protocol import Outcome, Task
from maquette.fidelity import Fidelity
from maquette.files import write_whole
from maquette.objective import Objective
from maquette.trial import Decision, Report, State

Watch = Callable[[Sequence["TargetRun"]], None]


@final
@dataclass(slots=True)
class TargetRun:
    """One run at the target, as far as it is.

    Attributes
    ----------
    label
        What the run is for.
    config, scale
        Its settings and its cell.
    steps, losses
        Fraction of the run done, and training loss there.
    loss
        Held-out loss; NaN until it ends, or if it diverged.
    state, seconds, message
        How it ended.
    """

    label: str
    config: dict[str, Any]
    scale: dict[str, float]
    steps: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    loss: float = math.nan
    state: State = State.QUEUED
    seconds: float = 0.0
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {**asdict(self), "loss": None if math.isnan(self.loss) else self.loss}


def train_all(
    fn: Callable[..., Any],
    runs: Mapping[str, tuple[Mapping[str, Any], Mapping[str, float]]],
    folder: Path,
    workers: int = 2,
    watch: Watch | None = None,
) -> dict[str, TargetRun]:
    """Train every run that `folder` does not hold yet; return all of them by label.

    Parameters
    ----------
    fn
        ``fn(trial)``, as a study takes it.
    runs
        Label to config and scale.
    folder
        Where results are kept: a run with the same settings is read from there.
    workers
        Runs at once.
    watch
        Called with all runs after every report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {k: TargetRun(k, dict(c), dict(s)) for k, (c, s) in runs.items()}
    places = {k: folder / f"{k}.json" for k in found}
    wanted = [k for k, run in found.items() if not _read(places[k], run)]
    if not wanted:
        return found
    executor = open_executor("process", fn, min(workers, len(wanted)))
    try:
        waiting, running = list(enumerate(wanted)), set[int]()

        def hear(job: int, report: Report) -> Decision:
            run = found[wanted[job]]
            run.steps.append(report.step)
            run.losses.append(report.metrics["loss"])
            return Decision(trial=job)

        while waiting or running:
            while waiting and len(running) < executor.slots:
                job, label = waiting.pop(0)
                found[label].state = State.RUNNING
                executor.start(_task(job, found[label], folder / f"{label}.run"))
                running.add(job)
            for outcome in executor.poll(0.2, hear):
                running.discard(outcome.job)
                _end(found[wanted[outcome.job]], outcome)
                _write(places[wanted[outcome.job]], found[wanted[outcome.job]])
            if watch is not None:
                watch(list(found.values()))
    finally:
        executor.close()
    return found


def _task(job: int, run: TargetRun, folder: Path) -> Task:
    folder.mkdir(parents=True, exist_ok=True)
    at = Fidelity({"progress": 1.0}, run.scale)
    return Task(job, job, run.config, at, Objective.parse("loss"), folder=folder.resolve())


def _end(run: TargetRun, outcome: Outcome) -> None:
    run.state, run.seconds, run.message = outcome.state, outcome.seconds, outcome.message
    if outcome.state is State.DONE:
        run.loss = float(outcome.metrics["loss"])


def _write(place: Path, run: TargetRun) -> None:
    """Keep a run that came to an end by itself; one that was cut off is trained again."""
    if run.state in (State.DONE, State.DIVERGED):
        write_whole(place, json.dumps(run.to_json(), indent=1))


def _read(place: Path, run: TargetRun) -> bool:
    """Fill a run from its file, if that holds the same settings."""
    try:
        kept = json.loads(place.read_text())
    except (OSError, ValueError):
        return False
    if kept.get("config") != run.config or kept.get("scale") != run.scale:
        return False
    run.steps, run.losses = kept["steps"], kept["losses"]
    run.loss = math.nan if kept["loss"] is None else kept["loss"]
    run.state, run.seconds = State(kept["state"]), kept["seconds"]
    run.message = kept["message"]
    return True
