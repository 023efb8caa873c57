"""``maquette export``: every trial as a table."""

from __future__ import annotations

import csv
import io
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maquette.cli.open import stored_study
from maquette.cli.options import AsJson, StoreUrl, StudyName
from maquette.cli.output import note
from maquette.cli.parquet import parquet_bytes
from maquette.cli.values import one_of
from maquette.errors import StudyError
from maquette.files import write_whole

if TYPE_CHECKING:
    from maquette.history import History


class Format(StrEnum):
    """What the table is written as."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def export(
    study: StudyName,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            metavar="csv|json|parquet",
            parser=one_of(Format),
            help="What the table is written as; parquet needs pip install 'maquette[parquet]'.",
        ),
    ] = Format.CSV,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; left out: stdout.")
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write every trial of a study as one row.

    A row holds state, config, scale, metrics and cost.

    Example: maquette export my-study -o runs.csv

    Example: maquette export my-study --format parquet -o runs.parquet
    """
    parquet = form is Format.PARQUET
    if parquet and as_json:
        raise typer.BadParameter("give one of them: --format parquet, --json", param_hint="--json")
    if parquet and output is None and sys.stdout.isatty():
        raise typer.BadParameter("parquet is no text; name a file with -o", param_hint="--format")
    rows = records(stored_study(study, store).history)
    if parquet:
        content: str | bytes = parquet_bytes(rows, _header(rows))
    else:
        content = _json(rows) if as_json or form is Format.JSON else _csv(rows)
    if output is None:
        data = content.encode("utf-8") if isinstance(content, str) else content
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        write_whole(output, content)
    except OSError as error:
        raise StudyError(f"{output} cannot be written: {error.strerror}") from None
    note(f"{len(rows)} trials in {output}")


def records(history: History) -> list[dict[str, Any]]:
    """Return one flat row a trial; where a config, an axis and a metric share a name, qualified."""
    from maquette.number import json_ready

    rows = []
    metric = history.objective.primary
    for t in history.trials:
        row: dict[str, Any] = {"trial": t.number, "state": t.state.value}
        for kind, values in (
            ("config", t.config),
            ("scale", t.scale),
            ("metric", t.metrics),
            ("trial", {"cost": t.cost, "seconds": t.seconds, "origin": t.origin}),
        ):
            for name, value in values.items():
                row[name if name not in row else f"{kind}.{name}"] = value
        row.setdefault(metric, None)
        rows.append(json_ready(row))
    return rows


def _header(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row)) or ["trial", "state"]


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, indent=2, allow_nan=False) + "\n"


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _header(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
