"""What a comparison says: Markdown tables and one HTML page, from its results alone."""

from __future__ import annotations

from maquette.bench.report.markdown import markdown
from maquette.bench.report.page import page
from maquette.bench.report.section import Section, gather
from maquette.bench.report.write import write

__all__ = ["Section", "gather", "markdown", "page", "write"]
