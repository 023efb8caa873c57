"""The trial of a script that a study runs as a program: `mq.current_trial()`.

Whoever starts the script serves a run's folder (`maquette.executor.shared`) and names it in the
environment, which a launcher such as torchrun or srun hands on to every rank.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, final

from maquette.checkpoint import open_shelf, written
from maquette.errors import ExecutorError, ObjectiveError
from maquette.executor.shared import JobSide
from maquette.executor.wire import Message
from maquette.fidelity import Fidelity
from maquette.trial import Decision, Report, Trial

# Names the run's folder.
VARIABLE = "MAQUETTE_TRIAL"
# Set where a batch system runs the same program as every rank of one job.
RANK = "MAQUETTE_RANK"
# By these launchers tell a process which rank it is: torchrun, Open MPI, PMIx and PMI, srun.
_LAUNCHED = ("RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
_OTHERS = ("WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "SLURM_LOCALID")
# How long a script waits for an answer; whoever serves it ends it when it goes itself.
_PATIENCE_SECONDS = 300.0


def serving(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program whose run has this folder.

    Where its starter is not one of many ranks itself, the marks of what launched that are left
    out, so that only a launcher in the program's own command makes ranks.
    """
    drop = () if RANK in environment else (*_LAUNCHED, *_OTHERS)
    kept = {name: value for name, value in environment.items() if name not in drop}
    return {**kept, VARIABLE: str(folder)}


def is_follower() -> bool:
    """Whether this process runs for another rank than the first of a batch system's job."""
    return os.environ.get(RANK, "0") != "0"


def to_message(trial: Trial, folder: Path) -> Message:
    """Return a trial as what `current_trial` reads."""
    return {
        "number": trial.number,
        "job": trial.job,
        "config": trial.config,
        "until": trial.until,
        "scale": trial.scale,
        "instance": trial.instance,
        "seed": trial.seed,
        "first_step": trial.first_step,
        "start": [str(path) for path in trial.start],
        "folder": str(folder),
        "checkpoints": trial.shelf,
    }


@functools.cache
def current_trial() -> Trial:
    """Return the trial that this script runs for.

    In a script that a sweep runs, by itself or through torchrun or srun. The script reads its
    values from the trial or from its command line, as it likes. Outside of a study it is a trial
    numbered -1 with an empty config, whose reports go nowhere and always say to go on.

    Raises
    ------
    ExecutorError
        If the study that started the script has left nothing to read.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return Trial(-1, {})
    side = JobSide(Path(named), _own_rank(), _PATIENCE_SECONDS)
    told = side.brief()
    if told is None:
        raise ExecutorError(f"{VARIABLE} names {named}, where no trial can be read")
    fidelity = Fidelity(told["until"], told["scale"], told["instance"])
    return Trial(
        told["number"],
        told["config"],
        fidelity,
        job=told["job"],
        seed=told["seed"],
        first_step=told["first_step"],
        start=tuple(told["start"]),
        channel=_Channel(side, told),
    )


@final
class _Channel:
    """What the trial of a script speaks through."""

    def __init__(self, side: JobSide, told: Message) -> None:
        self._side, self._job = side, told["job"]
        self._folder = Path(told["folder"])
        self._shelf: str | None = told["checkpoints"]

    @property
    def folder(self) -> Path:
        """The trial's own folder."""
        return self._folder

    @property
    def shelf(self) -> str | None:
        """Where the trial's checkpoints are kept."""
        return self._shelf

    def checkpoint(self, step: float) -> AbstractContextManager[Path]:
        """Give a folder to write a checkpoint into; only the first rank's is kept."""
        if self._shelf is None:
            raise ObjectiveError("this trial has no folder to keep checkpoints in")
        near, follows = self._folder / "checkpoints", _own_rank() > 0
        return written(open_shelf(self._shelf), self._job, step, near=near, dropped=follows)

    def report(self, report: Report) -> Decision:
        """Hand over a report; return the decision."""
        return self._side.ask(report)


def _own_rank() -> int:
    """Return which rank this process is of those that the program's own launcher made."""
    if RANK in os.environ:
        return 0
    values: list[Any] = [os.environ.get(name) for name in _LAUNCHED]
    return next((int(value) for value in values if value is not None and value.isdigit()), 0)
