"""``maquette bench fetch``: download benchmark data."""

from __future__ import annotations

from typing import Annotated

import typer

from maquette.cli.options import AsJson
from maquette.cli.output import emit, failure, note, table


def fetch(
    families: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FAMILY ...]", help="For example fcnet; left out: all of them."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download benchmark data, and check what is there already.

    They go to MAQUETTE_DATA, else to the user's cache. Each file is compared with a checksum before
    it takes its place. What cannot be downloaded is named, and the others go on.

    Example: maquette bench fetch regmix steplaw
    """
    from maquette.bench import catalogue, files
    from maquette.bench.fetch import fetch as get
    from maquette.bench.fetch import state
    from maquette.bench.sources import SOURCES
    from maquette.errors import BenchmarkError

    wanted = families or list(SOURCES)
    cards = {name: catalogue.family(name).card for name in wanted}
    failed = False
    for name in wanted:
        try:
            get(name, say=note)
        except BenchmarkError as error:
            failed = True
            failure(error)
    found = {name: state(name) for name in wanted}
    rows = [
        (name, file, kind, cards[name].licence)
        for name, states in found.items()
        for file, kind in states.items()
    ]
    text = table(("family", "file", "", "licence"), rows) if rows else "nothing to download"
    emit({"folder": str(files.folder()), "files": found}, text, as_json)
    if failed:
        raise typer.Exit(1)
