"""``maquette doctor``: what is installed and what is wrong."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

import typer

from maquette._version import __version__
from maquette.cli.open import store_url, stored
from maquette.cli.options import DEFAULT_STORE, AsJson, StoreUrl
from maquette.cli.output import emit
from maquette.errors import MaquetteError
from maquette.masking import without_secrets

_NEEDED = ("numpy", "scipy", "SQLAlchemy", "typer", "tomlkit")
_EXTRAS = {
    "torch": "maquette demo, maquette.nn",
    "pandas": "Study.to_pandas",
    "pyarrow": "maquette export --format parquet",
    "psycopg": "stores in PostgreSQL",
    "cloudpickle": "functions that no other process can import",
}
_VARIABLES = ("MAQUETTE_STORE", "MAQUETTE_DATA", "OMP_NUM_THREADS", "NO_COLOR")


def doctor(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Show what is installed and what is wrong.

    The exit code is 1 if anything is wrong.
    """
    installed = {name: _version(name) for name in (*_NEEDED, *_EXTRAS)}
    problems = [
        f"{name} is not installed: pip install maquette" for name in _NEEDED if not installed[name]
    ]
    kept = _store(store, problems)
    if sys.platform == "win32":
        problems.append("on Windows trials run inline only")
    document: dict[str, Any] = {
        "maquette": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": _cores(),
        "installed": installed,
        "environment": {v: without_secrets(os.environ[v]) for v in _VARIABLES if v in os.environ},
        "store": kept,
        "problems": problems,
    }
    emit(document, _text(document), as_json)
    if problems:
        raise typer.Exit(1)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _store(given: str | None, problems: list[str]) -> dict[str, Any]:
    """Look into the store; that the default one is not there yet is no problem."""
    url = store_url(given)
    if url == DEFAULT_STORE and not os.path.exists(DEFAULT_STORE.removeprefix("sqlite:///")):
        return {"url": url, "studies": None}
    try:
        opened = stored(given)
        return {"url": opened.url, "studies": len(opened.studies())}
    except MaquetteError as error:
        problems += error.problems
        return {"url": None, "studies": None}


def _text(document: dict[str, Any]) -> str:
    lines = [
        f"maquette {document['maquette']}, Python {document['python']}, {document['platform']}, "
        f"{document['cores']} cores"
    ]
    for name, version in document["installed"].items():
        use = f"  (for {_EXTRAS[name]})" if name in _EXTRAS else ""
        lines.append(f"  {name:<12}{version or 'not installed'}{use}")
    lines += [f"  {name} = {value}" for name, value in document["environment"].items()]
    kept = document["store"]
    if kept["url"]:
        holds = "not there yet" if kept["studies"] is None else f"{kept['studies']} studies"
        lines.append(f"  store {kept['url']}: {holds}")
    lines += [f"problem: {p}" for p in document["problems"]] or ["nothing is wrong"]
    return "\n".join(lines)
