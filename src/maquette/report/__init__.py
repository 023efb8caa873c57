"""What a person reads after a run: the answer in sentences, figures as data, one offline page.

- `answers`: the four answers, from the data.
- `figures`: what the charts show, as plain data.
- `render`, `write`: the page, one HTML file that needs no network.
"""

from __future__ import annotations

from maquette.report.answers import answers
from maquette.report.evidence import Evidence, gather
from maquette.report.figures import figures
from maquette.report.page import render, write

__all__ = ["Evidence", "answers", "figures", "gather", "render", "write"]
