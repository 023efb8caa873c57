"""Running a study: its function, on an executor, within a budget."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from maquette.checkpoint import Checkpoints
from maquette.errors import StudyError
from maquette.executor.kinds import Kind, by_name
from maquette.executor.protocol import Function
from maquette.number import is_count
from maquette.study.budget import Budget
from maquette.study.settings import Settings, Watch

if TYPE_CHECKING:
    from maquette.study.study import Study


def checked(study: Study, budget: Budget, workers: int) -> Function:
    """Return the study's function; StudyError if it has none, or a bound or workers are missing."""
    if study.fn is None:
        raise StudyError(
            f"study {study.name!r} has no function to run",
            hint="give fn to Study, or use ask() and tell()",
        )
    if not is_count(workers):
        raise StudyError(f"workers must be a positive whole number, not {workers!r}")
    if budget == Budget():
        raise StudyError("a budget is needed", hint="for example budget=50")
    return study.fn


def run(
    study: Study,
    budget: Budget,
    where: tuple[int, str | Kind | None],
    how: tuple[float | None, int, Watch | None],
    folder: str | os.PathLike[str] | None,
    checkpoints: Checkpoints,
) -> None:
    """Run trials until the budget is spent; see `Study.run`.

    Parameters
    ----------
    where
        Workers and executor.
    how
        Timeout, retries and watch.
    """
    from maquette.executor import open_executor
    from maquette.store.owner import new_owner
    from maquette.study.folders import own_place, trial_folder

    workers, executor = where
    fn = checked(study, budget, workers)
    kind = by_name(executor, workers)
    folder_ = trial_folder(study, study.store_url, study.name, folder)
    settings = Settings(budget, folder_, *how, checkpoints=own_place(checkpoints, study.name))
    # A script that is read again by the executor's server stops here, before it writes.
    opened = open_executor(kind, fn, workers)
    study.drive(opened, settings, new_owner(), workers, inline=kind.inline)
