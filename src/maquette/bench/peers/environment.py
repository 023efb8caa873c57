"""A virtual environment for each peer, so that none of them dictates our dependencies."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maquette.bench.peers.catalogue import Peer
from maquette.errors import BenchmarkError
from maquette.files import cache_folder, write_whole

_MARK = "maquette-peer.json"
_LOG_LINES = 12


def folder() -> Path:
    """Return where environments are kept: MAQUETTE_PEERS, else the user's cache."""
    named = os.environ.get("MAQUETTE_PEERS")
    if named:
        return Path(named).expanduser()
    return cache_folder() / "peers"


def python(peer: Peer) -> Path:
    """Return the interpreter of a peer's environment.

    Raises
    ------
    BenchmarkError
        If the peer is not installed, or its installation failed; the reason is said.
    """
    status = read(peer)
    if status.get("state") == "installed":
        return _python(peer)
    if status.get("state") == "failed":
        why = f"its installation failed: {status.get('reason')}"
    else:
        why = f"there is no environment of it in {folder()}"
    raise BenchmarkError(
        f"{peer.name} is not installed: {why}", hint=f"maquette bench peers install {peer.name}"
    )


def read(peer: Peer) -> Mapping[str, Any]:
    """Return what is known of a peer's environment: state, versions, reason; empty: nothing."""
    try:
        found = json.loads((folder() / peer.name / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def install(peer: Peer, constraint: Path | None = None) -> Mapping[str, Any]:
    """Make a peer's environment and install it there; return its status.

    pip's own settings hold (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL, ...). What it prints is kept in
    ``<peer>/pip.log``.

    Parameters
    ----------
    peer
        Which one.
    constraint
        A file of pip constraints, for example a version of torch that is built for the CPU.

    Raises
    ------
    BenchmarkError
        If it cannot be installed; the end of pip's log is quoted, and kept as the reason.
    """
    root = folder() / peer.name
    if not _python(peer).exists():
        venv.create(root, with_pip=True)
    limits = [] if constraint is None else ["-c", str(constraint)]
    problem = _pip(peer, [*limits, *peer.requirements])
    if problem is None and peer.alone:
        problem = _pip(peer, ["--no-deps", *peer.alone])
    if problem is not None:
        _mark(peer, {"state": "failed", "reason": problem})
        raise BenchmarkError(
            f"{peer.name} cannot be installed: {problem}", hint=f"the whole log: {_log(peer)}"
        )
    status = {"state": "installed", "versions": _versions(peer)}
    _mark(peer, status)
    return status


def _python(peer: Peer) -> Path:
    return folder() / peer.name / "bin" / "python"


def _log(peer: Peer) -> Path:
    return folder() / peer.name / "pip.log"


def _pip(peer: Peer, arguments: list[str]) -> str | None:
    """Run pip install; return the end of what it printed if it failed."""
    command = [str(_python(peer)), "-m", "pip", "install", "--disable-pip-version-check"]
    with _log(peer).open("a", encoding="utf-8") as log:
        log.write(f"$ pip install {' '.join(arguments)}\n")
        log.flush()
        done = subprocess.run(  # noqa: S603 - our own list of requirements
            [*command, *arguments], stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode == 0:
        return None
    lines = _log(peer).read_text(encoding="utf-8").splitlines()
    errors = [line for line in lines if "ERROR" in line.upper()] or lines
    return " | ".join(errors[-_LOG_LINES:])


def _versions(peer: Peer) -> dict[str, str]:
    done = subprocess.run(  # noqa: S603 - the interpreter that was just made
        [str(_python(peer)), "-m", "pip", "list", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {entry["name"]: entry["version"] for entry in json.loads(done.stdout)}


def _mark(peer: Peer, status: Mapping[str, Any]) -> None:
    write_whole(folder() / peer.name / _MARK, json.dumps(status, indent=1, sort_keys=True) + "\n")
