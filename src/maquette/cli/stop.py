"""``maquette stop``: end a study's runs, or one of its trials, from any process."""

from __future__ import annotations

from typing import Annotated

import typer

from maquette.cli.open import acting_study
from maquette.cli.options import AsJson, StoreUrl, StudyName
from maquette.cli.output import emit
from maquette.cli.values import whole


def stop(
    study: StudyName,
    trial: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            parser=whole(0),
            help="Stop this trial alone; may be given several times. The study goes on.",
        ),
    ] = None,
    now: Annotated[
        bool,
        typer.Option(
            "--now",
            help="Cancel what runs. Trials of a stopped study are put back in the queue.",
        ),
    ] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Stop a study's runs, wherever they run, or one trial.

    What runs ends, nothing new begins, and every run of the study exits with 3; the same command
    resumes. A trial ends at its next report, or at once while it waits.

    Example: maquette stop my-study --trial 7 --now
    """
    opened = acting_study(study, store)
    opened.stop(trial or None, now=now)
    history = opened.history
    running = [job.trial for job in history.running]
    document = {"study": study, "trials": trial or None, "now": now, "running": running}
    emit(document, _text(study, trial or [], running, now=now), as_json)


def _text(study: str, trials: list[int], running: list[int], *, now: bool) -> str:
    if not trials:
        if not running:
            return f"{study}: nothing runs; a run that is about to start something ends"
        what = "cancelled and put back in the queue" if now else "left to end"
        return f"{study}: {_count(running)} {what}; `maquette watch {study}` shows when"
    asked = [n for n in trials if n in running]
    lines = [f"trial {n} is stopped" for n in trials if n not in asked]
    how = "is being cancelled" if now else "is told to stop at its next report"
    return "\n".join([*lines, *(f"trial {n} {how}" for n in asked)])


def _count(running: list[int]) -> str:
    return f"{len(running)} running {'trial is' if len(running) == 1 else 'trials are'}"
