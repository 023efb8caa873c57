"""``maquette init``: a working example to edit."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from maquette.cli.options import AsJson
from maquette.cli.output import emit
from maquette.errors import StudyError


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to.")],
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="A sweep file and a program, instead of a study in Python."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a commented, working study to edit. Files that exist are left alone."""
    names = ("sweep/sweep.toml", "sweep/train.py") if sweep else ("study.py",)
    paths = [folder / Path(name).name for name in names]
    taken = [p for p in paths if p.exists()] or [p for p in (folder,) if p.is_file()]
    if taken:
        raise _exists(taken[0])
    for name, path in zip(names, paths, strict=True):
        _write(path, name)
    emit(
        {"sweep" if sweep else "study": str(paths[0])},
        f"{paths[0]} is a working example. Next:\n  cd {folder}\n  maquette run {paths[0].name}",
        as_json,
    )


def _write(path: Path, name: str) -> None:
    """Copy one file of the example; it never replaces another."""
    text = files("maquette.cli").joinpath("example", name).read_text(encoding="utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise StudyError(f"{path} cannot be written: {error.strerror}") from None


def _exists(path: Path) -> StudyError:
    return StudyError(f"{path} exists and is left as it is", hint="name another folder")
