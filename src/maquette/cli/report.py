"""``maquette report``: one offline HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maquette.cli.open import stored_study
from maquette.cli.options import AsJson, StoreUrl, StudyName
from maquette.cli.output import emit
from maquette.cli.values import numbers


def report(
    study: StudyName,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path(
        "report.html"
    ),
    at: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS=VALUE,...", help="The target; axes left out: the study's target."
        ),
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write a study's report as one offline HTML file."""
    target = numbers(at, "--at") if at else None
    from maquette.report import write

    path = write(stored_study(study, store), output, target)
    emit({"study": study, "report": str(path)}, str(path), as_json)
