"""``maquette run``: run a study; the same command resumes it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maquette.cli.best import document as best_document
from maquette.cli.open import declared_study
from maquette.cli.options import DEFAULT_STORE, AsJson, StoreUrl
from maquette.cli.output import emit, note
from maquette.cli.progress import Progress
from maquette.cli.sweep import described_study
from maquette.cli.values import numbers, positive, whole

if TYPE_CHECKING:
    from maquette.executor import Kind
    from maquette.study import Budget, Study

_TRIALS = 50


File = Annotated[
    str,
    typer.Argument(
        metavar="STUDY.py[:NAME]|SWEEP.toml",
        help="A Python file that declares a mq.Study with its fn, or a sweep file.",
    ),
]
Command = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="-- COMMAND",
        help="For a sweep file: the program to run, with placeholders such as {lr}. "
        "Replaces the file's command.",
    ),
]
Limits = Annotated[
    str | None,
    typer.Option(
        metavar="trials=N,seconds=S,cost=C",
        help="Totals over the study's whole life. Default: as the sweep file says, else as "
        f"recorded in the study, else trials={_TRIALS}.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole(1),
        help="Trials that run at once. Default: as the sweep file says, else 1.",
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        metavar="inline|process|ray|slurm",
        help="Where trials run. Default: as the sweep file says, else process; for a study's file "
        "inline where there is one worker.",
    ),
]
Narrow = Annotated[
    bool,
    typer.Option(
        "--narrow",
        help="The file's space is narrower than the stored one, and that is meant: trials "
        "outside it stay as evidence.",
    ),
]
AcceptChanges = Annotated[
    bool,
    typer.Option(
        "--accept-changes",
        help="The sweep's command or result differs from what the study ran so far, and that is "
        "meant.",
    ),
]
Checkpoints = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where trials keep their checkpoints, such as s3://BUCKET/RUNS. Default: as "
        "the file says, else MAQUETTE_CHECKPOINTS, else in the trials' folders.",
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Run trials here, one at a time, and open the debugger where one fails.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print what would run, what it would cost and what would start first; run "
        "and write nothing.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="What one trial may hold, such as 16GB; one that holds more ends as oom. A cluster is "
        "asked for as much. Default: as the sweep file says, else no limit.",
    ),
]
Gpus = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole(0),
        help="GPUs of each trial, its own alone. Default: as the sweep file says, else all.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", parser=positive, help="The most that one trial may take."),
]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", parser=whole(0), help="Replaces the seed that the file gives."),
]


WarmStart = Annotated[
    list[str] | None,
    typer.Option(
        "--warm-start",
        metavar="STUDY|FILE",
        help="An earlier study of the store, or a CSV or Parquet file of runs, to learn from; may "
        "be given several times. Replaces what the file says.",
    ),
]


def run(
    file: File,
    command: Command = None,
    budget: Limits = None,
    workers: Workers = None,
    executor: Where = None,
    memory: Memory = None,
    gpus: Gpus = None,
    timeout: Timeout = None,
    seed: Seed = None,
    narrow: Narrow = False,
    accept_changes: AcceptChanges = False,
    checkpoints: Checkpoints = None,
    warm_start: WarmStart = None,
    debug: Debug = False,
    dry_run: DryRun = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Run a study, or sweep any program; the same command again resumes.

    A sweep file says what may vary, and what runs: a command line with a placeholder for each
    parameter, or for a JSON file with all of them. The program needs no change.

    It ends when the budget is spent.

    Ctrl-C once lets running trials end, twice puts them back in the queue, three times exits.

    Example: maquette run study.py --budget trials=100,seconds=3600 --workers 2

    Example: maquette run sweep.toml --workers 2 -- python train.py --lr {lr}
    """
    resources = {"memory": memory, "gpus": gpus}
    limits = numbers(budget, "--budget", ("trials", "seconds", "cost")) if budget else {}
    from maquette.study import Budget
    from maquette.study.placement import Placement

    given = Budget.parse(limits) if limits else None
    placement = Placement(
        store,
        DEFAULT_STORE,
        seed,
        narrow,
        accept_changes,
        checkpoints,
        tuple(warm_start or ()),
        dry=dry_run,
    )
    if file.endswith(".toml"):
        _refuse_debugger(debug)
        said = {"workers": workers, "executor": executor, "timeout": timeout, **resources}
        study, sweep = described_study(file, command or (), said, placement)
        given = given or sweep.budget
        how = (sweep.workers, sweep.executor or "process", sweep.timeout)
    else:
        _refuse_command(file, command)
        study = declared_study(file, placement)
        kind = _debugger(workers, executor) if debug else executor or ""
        how = (workers or 1, _limited(kind, resources), timeout)
    limit = given or _budget(study)
    if dry_run:
        _plan(study, limit, how, as_json)
        return
    with closing(Progress(study.name, limit)) as progress:
        succeeded = _run(study, limit, how, progress)
    if not succeeded:
        raise typer.Exit(1)
    _tell(study, as_json)


def _refuse_command(file: str, command: list[str] | None) -> None:
    if command:
        raise typer.BadParameter(
            f"{file!r} is not a sweep file (.toml), and a study's file takes no command",
            param_hint="COMMAND",
        )


def _debugger(workers: int | None, executor: str | None) -> Kind:
    from maquette.executor import Inline

    if executor not in (None, "inline") or (workers or 1) > 1:
        raise typer.BadParameter(
            "the debugger needs trials in this process, one at a time: leave out --executor and "
            "--workers",
            param_hint="--debug",
        )
    return Inline(debug=True)


def _limited(kind: Kind | str, resources: Mapping[str, Any]) -> Kind | str:
    """Return where trials run, with what each gets; a limit needs processes of their own."""
    from maquette.errors import ExecutorError
    from maquette.executor.kinds import by_name, limited

    if all(amount is None for amount in resources.values()):
        return kind
    try:
        return limited(by_name(kind or "process"), **resources)
    except ExecutorError as error:
        named = [f"--{name}" for name, amount in resources.items() if amount is not None]
        raise typer.BadParameter("; ".join(error.problems), param_hint=", ".join(named)) from None


def _refuse_debugger(debug: bool) -> None:
    if debug:
        raise typer.BadParameter(
            "a sweep runs programs, which the debugger of Python does not reach",
            param_hint="--debug",
        )


def _plan(
    study: Study, limit: Budget, how: tuple[int, Kind | str, float | None], as_json: bool
) -> None:
    """Say what would run; a study that could not run is refused as `_run` refuses it."""
    from maquette.study.running import checked

    workers, executor, timeout = how
    checked(study, limit, workers)
    plan = study.plan(limit, workers, executor or None, timeout=timeout)
    emit(plan.to_json(), str(plan), as_json)


def _budget(study: Study) -> Budget:
    from maquette.study import Budget

    recorded = study.history.budget
    known = Budget(recorded.trials, recorded.seconds, recorded.cost)
    return Budget(trials=_TRIALS) if known == Budget() else known


def _run(
    study: Study,
    limit: Budget,
    how: tuple[int, str | Kind, float | None],
    progress: Progress,
) -> bool:
    """Run; return whether any trial has a result. What trials said goes to stderr."""
    from maquette.errors import StudyError

    workers, executor, timeout = how
    try:
        study.run(limit, workers, executor or None, timeout=timeout, watch=progress.update)
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
