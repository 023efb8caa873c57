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
    as_json: AsJson = False,
) -> None:
    """Write a commented, working study to edit. Files that exist are left alone."""
    path = folder / "study.py"
    text = files("maquette.cli").joinpath("example", "study.py").read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        what = path if folder.is_dir() else folder
        raise StudyError(
            f"{what} exists and is left as it is", hint="name another folder"
        ) from None
    except OSError as error:
        raise StudyError(f"{path} cannot be written: {error.strerror}") from None
    emit(
        {"study": str(path)},
        f"{path} is a working example. Next:\n  cd {folder}\n  maquette run study.py",
        as_json,
    )
