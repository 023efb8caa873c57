"""A trial's reports on disk: one JSON object a line in ``reports.jsonl`` in the trial's folder.

The pipe to the driver is faster, but a file outlives the driver.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import final

from maquette.executor.lines import LineReader, append_line
from maquette.executor.wire import report_from_json, report_to_json
from maquette.trial import Report

NAME = "reports.jsonl"


@final
class ReportFile:
    """Appends the reports of one job; without a folder it keeps nothing."""

    def __init__(self, folder: Path | None, job: int) -> None:
        self._path = None if folder is None else folder / NAME
        self._job = job

    def append(self, report: Report) -> None:
        """Write one line; a disk that is full is said once and stops no run."""
        if self._path is None:
            return
        try:
            append_line(self._path, {"job": self._job, **report_to_json(report)})
        except OSError as error:
            print(f"reports are not kept in {self._path}: {error.strerror}", file=sys.stderr)
            self._path = None


def read_reports(folder: Path, job: int | None = None) -> list[Report]:
    """Return the reports that a trial's folder holds, of one job or of all.

    A line that was torn by a crash is passed over; without a file there are none.
    """
    whole = {"job", "step", "metrics", "cost", "seconds"}
    return [
        report_from_json(row)
        for row in LineReader(folder / NAME).read()
        if whole <= row.keys() and (job is None or row["job"] == job)
    ]
