"""No finished trial is lost: what cannot be written to the store is kept aside."""

from __future__ import annotations

import json
from pathlib import Path

from maquette.errors import StoreError
from maquette.events import Ended, from_json, to_json
from maquette.files import write_whole


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
