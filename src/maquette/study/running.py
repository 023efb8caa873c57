"""Running a study: its function, on an executor, within a budget."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from maquette.checkpoint import Checkpoints
from maquette.errors import StudyError
from maquette.executor.kinds import Kind, by_name
from maquette.executor.protocol import Executor, Function
from maquette.history import History, Problem
from maquette.number import is_count
from maquette.schedule.protocol import Scheduler
from maquette.search.protocol import Searcher
from maquette.store.protocol import Store, StudyRow
from maquette.study.budget import Budget
from maquette.study.driver import Driver
from maquette.study.interrupt import Interrupts
from maquette.study.parts import identity
from maquette.study.patient import PatientStore
from maquette.study.places import Places
from maquette.study.proposer import Proposer
from maquette.study.settings import Settings, Watch

if TYPE_CHECKING:
    from maquette.study.study import Study


def drive(
    opened: tuple[Store, StudyRow, History, Problem, tuple[Searcher, Scheduler]],
    executor: Executor,
    settings: Settings,
    owner: str,
    *,
    inline: bool,
) -> str:
    """Run trials on an executor until the budget is spent; see `Study.drive`.

    Parameters
    ----------
    opened
        The store, the study's row in it, its history, its problem, and its methods.
    """
    kept, row, history, problem, methods = opened
    settings, study = replace(settings, study=identity(row)), row.id
    interrupts = Interrupts(inline)
    store = PatientStore(kept, settings.patience, lambda: interrupts.count > 1)
    driver = Driver(store, study, history, methods[1], executor, settings, owner)
    shared = history if inline else None
    proposer = Proposer(store, study, problem, methods, shared, turn=settings.turn)
    return driver.run(proposer, interrupts, inline=inline)


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
    from maquette.executor.function import stop_if_preparing
    from maquette.store.owner import new_owner
    from maquette.study.folders import own_place, trial_folder

    # A script that is read again by the executor's server stops here, before it writes.
    stop_if_preparing()
    workers, executor = where
    fn = checked(study, budget, workers)
    kind = by_name(executor, workers)
    folder_ = trial_folder(study, study.store_url, study.name, folder)
    settings = Settings(budget, folder_, *how, checkpoints=own_place(checkpoints, study.name))
    Places(folder_, settings.checkpoints).check()
    opened = open_executor(kind, fn, workers)
    study.drive(opened, settings, new_owner(), workers, inline=kind.inline)
