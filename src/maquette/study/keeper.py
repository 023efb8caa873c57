"""The driver's side of checkpoints: from where a job starts, and which ones are kept."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import final

from maquette.checkpoint import Checkpoints, Shelf, open_shelf
from maquette.errors import CheckpointError
from maquette.events import Resume
from maquette.history import History, JobRecord
from maquette.trial import State, checkpoint_address, folder_name

# Between two looks at what a running trial has written.
PRUNE_SECONDS = 30.0

log = logging.getLogger("maquette")


@final
class Keeper:
    """Knows where checkpoints are, finds the ones to start from, and removes old ones.

    Addresses in events are relative to the study (``000012/checkpoints/81``, or ``newest`` in the
    place of the step), so that a study may move; one with ``://`` in it or an absolute path is
    taken as it is.

    Parameters
    ----------
    folder
        Where the trials' folders are; None: there are no checkpoints.
    checkpoints
        Where the study's checkpoints are kept, and how many.
    """

    def __init__(self, folder: Path | None, checkpoints: Checkpoints) -> None:
        self._root = checkpoints.url or (None if folder is None else str(folder))
        self._remote, self._keep = checkpoints.url, checkpoints.keep
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._next: dict[int, float] = {}

    def url(self, trial: int) -> str | None:
        """Return where a trial keeps checkpoints, if that is not its own folder."""
        return None if self._remote is None else _shelf_place(self._remote, trial)

    def places(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """Return where checkpoints are: paths, or URLs."""
        return tuple(
            a if self._root is None or _foreign(a) else f"{self._root}/{a}" for a in addresses
        )

    # --- from where ------------------------------------------------------------------------

    def resume(self, history: History, job: JobRecord) -> Resume | None:
        """Return from where a job starts, if that is not what was proposed.

        A job that ran before goes on from the newest checkpoint that it wrote. In the place of
        one that was proposed and is gone comes the newest older one of the same trial; without
        any, that parent is left out, and a job without parents starts from the beginning.
        """
        if self._root is None or not (job.starts or job.start):
            return None
        try:
            own = self._own(job) if job.starts else None
            return own or self._substitutes(history, job)
        except CheckpointError as error:
            log.warning("%s; job %d starts from where it was to", error.problems[0], job.number)
            return None

    def _own(self, job: JobRecord) -> Resume | None:
        """Return the newest checkpoint that the job wrote; from one at its end nothing is left."""
        shelf = self._shelf(job.trial)
        end = next(iter(job.fidelity.until.values()), math.inf)
        for step in reversed(shelf.steps()):
            if job.first_step <= step < end:
                found = shelf.find(step)
                if found is not None and found.job == job.number:
                    note = f"goes on from its checkpoint at {step:g}"
                    return Resume(step, (checkpoint_address(job.trial, step),), note)
        return None

    def _substitutes(self, history: History, job: JobRecord) -> Resume | None:
        start: list[str] = []
        notes: list[str] = []
        first = job.first_step
        for address in job.start:
            trial, wanted = _parsed(address)
            if trial is None:
                start.append(address)
                continue
            step = self._newest(history, job, trial, wanted)
            if step is None:
                notes.append(f"{address} is gone")
            elif wanted not in (step, math.inf):
                notes.append(f"{address} is gone, {step:g} takes its place")
            if step is not None:
                start.append(checkpoint_address(trial, step))
                first = min(first, step) if len(job.start) == 1 else first
        if tuple(start) == job.start:
            return None
        if not start:
            first = 0.0
            notes.append("starts from the beginning")
        return Resume(first, tuple(start), "; ".join(notes))

    def _newest(self, history: History, job: JobRecord, trial: int, most: float) -> float | None:
        """Return the newest step, up to `most`, at which a trial has a whole checkpoint.

        Of the job's own trial, only what was written on the job's own instance.
        """
        shelf = self._shelf(trial)
        for step in reversed(shelf.steps()):
            found = shelf.find(step) if step <= most else None
            if found is not None and (
                trial != job.trial
                or not 0 <= found.job < len(history.jobs)
                or history.jobs[found.job].fidelity.instance == job.fidelity.instance
            ):
                return step
        return None

    def _shelf(self, trial: int) -> Shelf:
        return open_shelf(_shelf_place(str(self._root), trial))

    # --- which are kept --------------------------------------------------------------------

    def prune(self, history: History, trial: int, *, over: bool = False) -> None:
        """Remove what a trial need not keep, soon, in another thread; `over`: look at once."""
        now = time.monotonic()
        if self._root is None or self._keep is None:
            return
        if not over and now < self._next.setdefault(trial, now + PRUNE_SECONDS):
            return
        self._next[trial] = now + PRUNE_SECONDS
        wanted = frozenset(_referred(history, trial))
        self._pool.submit(self._prune, trial, self._keep, wanted)

    def _prune(self, trial: int, keep: int, wanted: frozenset[float]) -> None:
        try:
            shelf = self._shelf(trial)
            whole = [step for step in shelf.steps() if shelf.find(step) is not None]
            for step in whole[:-keep]:
                if step not in wanted:
                    shelf.remove(step)
        except Exception as error:  # an old checkpoint too many is no reason to end a run
            log.warning("old checkpoints of trial %d are not removed: %s", trial, error)

    def close(self) -> None:
        """Wait until what was asked for is removed."""
        self._pool.shutdown(wait=True)


def _referred(history: History, trial: int) -> Iterable[float]:
    """Return the steps of a trial from which jobs start that have not ended."""
    waiting = (j for t in history.pending for j in t.jobs)
    for job in waiting:
        if job.state in (State.QUEUED, State.RUNNING):
            for address in job.start:
                parent, step = _parsed(address)
                if parent == trial:
                    yield step


def _shelf_place(root: str, trial: int) -> str:
    return f"{root}/{folder_name(trial)}/checkpoints"


def _foreign(address: str) -> bool:
    return "://" in address or address.startswith("/")


def _parsed(address: str) -> tuple[int | None, float]:
    """Return trial and step (infinite: the newest) of an address; no trial: not of this study."""
    trial, middle, step = [*address.split("/"), "", ""][:3]
    if _foreign(address) or middle != "checkpoints" or not trial.isdigit():
        return None, math.inf
    try:
        return int(trial), math.inf if step == "newest" else float(step)
    except ValueError:
        return None, math.inf
