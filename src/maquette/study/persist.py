"""No finished trial is lost: writes are tried again, and what cannot be written is kept aside."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from maquette.errors import StoreError, StoreUnavailableError
from maquette.events import Ended, from_json, to_json
from maquette.files import write_whole

Result = TypeVar("Result")

# A full disk or a database that restarts is mended within minutes, or not at all.
PATIENCE_SECONDS = 60.0
FIRST_PAUSE = 0.05

log = logging.getLogger("maquette")


def patiently(write: Callable[[], Result], patience: float = PATIENCE_SECONDS) -> Result:
    """Call `write` until it succeeds; a store that stays unavailable raises after `patience` s.

    The first failure is logged, so that nobody waits without knowing for what.
    """
    deadline = time.monotonic() + patience
    pause = FIRST_PAUSE
    while True:
        try:
            return write()
        except StoreUnavailableError as error:
            if time.monotonic() + pause > deadline:
                raise
            if pause == FIRST_PAUSE:
                log.warning("%s; trying again for %g s", error.problems[0], patience)
        time.sleep(pause)
        pause = min(2 * pause, 5.0)


def save_outcome(folder: Path, body: Ended) -> None:
    """Write a result into its trial's folder; best effort, for a disk may be full there too."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "outcome.json", json.dumps(to_json(body)))
    except OSError:
        return


def saved_outcome(folder: Path, job: int) -> Ended | None:
    """Return the result that an earlier driver could not write, if it is of this job."""
    try:
        body = from_json("ended", json.loads((folder / "outcome.json").read_text()))
    except (OSError, ValueError, StoreError):
        return None
    return body if isinstance(body, Ended) and body.job == job else None
