"""Options and arguments that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_STORE = "sqlite:///maquette.db"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Where studies are kept: a file, sqlite:///FILE or postgresql://HOST/DATABASE. "
        f"Default: MAQUETTE_STORE, else {DEFAULT_STORE}.",
    ),
]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="The study's name in its store.")]
