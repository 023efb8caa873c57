"""Write the README's table of tuners from the record that it links to.

python benchmarks/leaderboard/readme.py           # rewrites README.md between the two marks
python benchmarks/leaderboard/readme.py --print   # prints the table alone
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from maquette.bench.compare import results
from maquette.bench.compare.plan import reopen
from maquette.bench.report import gather
from maquette.bench.report.figures import rows

ROOT = Path(__file__).parents[2]
RECORD = "benchmarks/records/2026-11-21-leaderboard"
BEGIN, END = "<!-- leaderboard -->", "<!-- /leaderboard -->"
OURS = {"auto": "**Maquette**", "random": "random search", "sobol": "Sobol sequence"}


def table() -> str:
    folder = ROOT / RECORD
    sections, _ = gather(results.read(folder), reopen(folder))
    section = max(sections, key=lambda s: len(s.optimizers))
    head = "| tuner | mean rank | regret | beats random | runs | |\n" + "| --- " * 6 + "|"
    runs = len(section.tasks) * section.seeds
    lines = []
    for row in rows(section):
        rank = "{:.2f} ({:.2f} to {:.2f})".format(*row.rank)
        figures = f"{rank} | {row.regret[0]:.4f} | {row.beats:.2f} | {runs}"
        name = OURS.get(row.name, row.name)
        lines.append(f"| {name} | {figures} | [record]({RECORD}/report.md) |")
    return "\n".join([head, *lines])


if __name__ == "__main__":
    if "--print" in sys.argv:
        print(table())
        sys.exit()
    readme = ROOT / "README.md"
    block = f"{BEGIN}\n{table()}\n{END}"
    text = re.sub(f"{BEGIN}.*{END}", lambda _: block, readme.read_text("utf-8"), flags=re.S)
    readme.write_text(text, encoding="utf-8")
