"""Open what a verb looks at: a stored study, or a study that a user's file declares."""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from maquette.cli.options import DEFAULT_STORE
from maquette.errors import MaquetteError, StudyError, nearest

if TYPE_CHECKING:
    from maquette.store import Store
    from maquette.study import Study
    from maquette.study.placement import Placement


def store_url(given: str | None) -> str:
    """Return the store's URL: the option, else MAQUETTE_STORE, else a file here."""
    return given or os.environ.get("MAQUETTE_STORE") or DEFAULT_STORE


def stored_study(name: str, store: str | None) -> Study:
    """Open a stored study to look at it."""
    from maquette.study import Study

    return Study.load(name, store_url(store))


def acting_study(name: str, store: str | None) -> Study:
    """Open a stored study to act on it; nothing is made where there is none."""
    from maquette.study import Study

    return Study.load(name, store_url(store), read_only=False)


def stored(store: str | None) -> Store:
    """Open a store to look at it."""
    from maquette.store import open_store

    return open_store(store_url(store), read_only=True)


def declared_study(reference: str, placement: Placement) -> Study:
    """Return the study that ``FILE.py`` or ``FILE.py:name`` declares.

    Raises
    ------
    StudyError
        If there is no such file, it cannot be executed, or it declares no or several studies.
    """
    from maquette.study import Study
    from maquette.study.placement import placed

    file, colon, name = reference.partition(":") if ".py" in reference else (reference, "", "")
    path = Path(file)
    if path.suffix != ".py":
        raise StudyError(
            f"{reference!r} is not a Python file that declares a study",
            hint="maquette run study.py, or a sweep file that ends in .toml; `maquette init DIR` "
            "writes one",
        )
    if not path.is_file():
        folder = path.parent if path.parent.is_dir() else Path()
        others = [str(p) for p in sorted(folder.glob("*.py"))]
        raise StudyError(f"there is no file {file!r}." + nearest(file, others))
    with placed(placement):
        module = _execute(path.resolve())
    studies = {k: v for k, v in vars(module).items() if isinstance(v, Study)}
    if colon:
        if name not in studies:
            raise StudyError(f"{file} has no study {name!r}." + nearest(name, studies))
        return studies[name]
    if len(studies) != 1:
        found = ", ".join(studies) or "none"
        raise StudyError(
            f"{file} must declare one study, and declares {found}",
            hint=f"name one: {file}:{next(iter(studies))}"
            if studies
            else "study = mq.Study('name', space, fn)",
        )
    return next(iter(studies.values()))


def _execute(path: Path) -> ModuleType:
    """Execute a user's file as a module that other processes can find by its name."""
    # Beside the file stand the modules that it imports, as for `python file.py`.
    sys.path.insert(0, str(path.parent))
    # A file may be called like a module of the library; it must not take its place.
    name = f"study_{path.stem}" if path.stem in sys.modules else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StudyError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except MaquetteError:
        raise
    except (Exception, SystemExit) as error:
        raise StudyError(f"{path.name} fails{_where(error, path)}: {_what(error)}") from error
    return module


def _where(error: BaseException, path: Path) -> str:
    """Return " in line n" for the deepest line of the user's own file."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f" in line {error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f" in line {lines[-1]}" if lines else ""


def _what(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
