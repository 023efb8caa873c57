"""``maquette demo``: the main job on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maquette.cli.options import AsJson
from maquette.cli.output import emit
from maquette.cli.values import whole


def demo(
    quick: Annotated[
        bool, typer.Option("--quick", help="Width alone, in under 2 minutes on two cores.")
    ] = False,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder for the study, the results and the report."),
    ] = Path("maquette-demo"),
    text: Annotated[
        Path | None,
        typer.Option(help="Text to train on. Default: the sources of Python's standard library."),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(metavar="N", parser=whole(0), help="Of the search and of every training."),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Tune small runs, predict a larger one, check it.

    Tunes a small character transformer on this machine (PyTorch is needed), predicts the settings
    of a larger one, trains that too, prints what became of the prediction, and writes report.html.
    In full under 15 minutes on two cores.
    """
    from maquette.demo import run

    result = run(quick=quick, out=output, text=text, seed=seed)
    emit(result.to_json(), str(result), as_json)
