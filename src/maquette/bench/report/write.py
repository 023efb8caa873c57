"""Writes the report of a results folder into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maquette.bench.compare import results
from maquette.bench.compare.plan import reopen
from maquette.bench.compare.runner import ENVIRONMENT
from maquette.bench.report.markdown import markdown
from maquette.bench.report.page import page
from maquette.bench.report.section import gather
from maquette.files import write_whole

PAGE, TABLES = "report.html", "report.md"


def write(folder: Path) -> tuple[str, list[Path]]:
    """Write the page, the tables and the packed results; return the tables and the files.

    Raises
    ------
    BenchmarkError
        If the folder holds no comparison, no results, or damaged ones.
    """
    plan = reopen(folder)
    sections, left = gather(results.read(folder), plan)
    environment: dict[str, Any] = {}
    if (folder / ENVIRONMENT).exists():
        environment = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    text = markdown(plan, sections, left)
    write_whole(folder / TABLES, text)
    write_whole(folder / PAGE, page(plan, sections, left, environment))
    packed = results.pack(folder)
    return text, [folder / PAGE, folder / TABLES, packed]
