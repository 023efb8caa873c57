"""``maquette run``: run a study; the same command resumes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from maquette.cli.best import document as best_document
from maquette.cli.open import declared_study
from maquette.cli.options import DEFAULT_STORE, AsJson, StoreUrl
from maquette.cli.output import emit, note
from maquette.cli.progress import Progress
from maquette.cli.values import numbers

if TYPE_CHECKING:
    from maquette.study import Budget, Study

_TRIALS = 50


def run(
    file: Annotated[
        str,
        typer.Argument(
            metavar="STUDY.py[:NAME]", help="A Python file that declares a mq.Study with its fn."
        ),
    ],
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="trials=N,seconds=S,cost=C",
            help="Totals over the study's whole life. "
            f"Default: as recorded in the study, else trials={_TRIALS}.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trials that run at once.")] = 1,
    executor: Annotated[
        str | None,
        typer.Option(
            metavar="inline|process",
            help="Where trials run. Default: inline for one worker, else process.",
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="The most that one trial may take.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Replaces the seed that the file gives.")
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Run a study; the same command again resumes.

    It ends when the budget is spent.

    Ctrl-C once lets running trials end, twice puts them back in the queue, three times exits.

    Example: maquette run study.py --budget trials=100,seconds=3600 --workers 2
    """
    limits = numbers(budget, "--budget", ("trials", "seconds", "cost")) if budget else {}
    from maquette.study.placement import Placement

    study = declared_study(file, Placement(store, DEFAULT_STORE, seed))
    limit = _budget(study, limits)
    with Progress(study.name, limit) as progress:
        succeeded = _run(study, limit, (workers, executor, timeout), progress)
    if not succeeded:
        raise typer.Exit(1)
    _tell(study, as_json)


def _budget(study: Study, limits: dict[str, float]) -> Budget:
    from maquette.study import Budget

    if limits:
        return Budget.parse(limits)
    recorded = study.history.budget
    known = Budget(recorded.trials, recorded.seconds, recorded.cost)
    return Budget(trials=_TRIALS) if known == Budget() else known


def _run(
    study: Study,
    limit: Budget,
    how: tuple[int, str | None, float | None],
    progress: Progress,
) -> bool:
    """Run; return whether any trial has a result. What trials said goes to stderr."""
    from maquette.errors import StudyError

    workers, executor, timeout = how
    try:
        study.run(limit, workers, executor, timeout=timeout, watch=progress.update)
    except StudyError as error:
        tried = study.history.finished
        if study.fn is None or not len(tried.trial) or study.history.running:
            raise
        progress.close()
        note(f"Error: {error}")
        return False
    return True


def _tell(study: Study, as_json: bool) -> None:
    from maquette.report import answers

    document: dict[str, Any] = {
        "study": study.name,
        "store": study.store_url,
        "trials": study.history.counts(),
        "best": best_document(study.best()),
        "answers": answers(study),
    }
    emit(document, "\n\n".join(document["answers"]), as_json)
