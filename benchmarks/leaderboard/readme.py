"""Write the README's tables of tuners from the records that they link to.

python benchmarks/leaderboard/readme.py           # rewrites README.md between the marks
python benchmarks/leaderboard/readme.py --print   # prints the marked tables alone
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from maquette.bench.compare import results
from maquette.bench.compare.plan import reopen
from maquette.bench.report import gather
from maquette.bench.report.figures import rows
from maquette.bench.report.section import Section

ROOT = Path(__file__).parents[2]
RECORDS = "benchmarks/records"
# Mark in the README to record.
TABLES = {
    "leaderboard": "2026-11-21-leaderboard",
    "slow tuners": "2026-11-21-slow-tuners",
    "scales": "2026-11-21-scales",
}
OURS = {
    "auto": "**Maquette**",
    "tpe": "**Maquette**, its Parzen estimator",
    "cmaes": "**Maquette**, its CMA-ES",
    "designed+proxies": "**Maquette**, designed proxies",
    "random": "random search",
    "sobol": "Sobol sequence",
}
# Copies of what is best at the cheapest proxy, where that is the question.
COPIES = {**OURS, "auto": "Maquette's search, copied"}


def table(record: str) -> str:
    """Return the table of the section that rests on most runs."""
    folder = ROOT / RECORDS / record
    plan = reopen(folder)
    sections, _ = gather(results.read(folder), plan)
    section = max(sections, key=lambda s: len(s.optimizers) * len(s.tasks) * s.seeds)
    head = "| tuner | mean rank | regret | beats random | runs | |\n" + "| --- " * 6 + "|"
    known = COPIES if plan.suite.proxies else OURS
    return "\n".join([head, *_lines(section, record, known)])


def _lines(section: Section, record: str, known: dict[str, str]) -> list[str]:
    runs = len(section.tasks) * section.seeds
    lines = []
    for row in rows(section):
        low, high = row.rank[1:]
        rank = f"{row.rank[0]:.2f}" + (f" ({low:.2f} to {high:.2f})" if section.seeds > 1 else "")
        figures = f"{rank} | {row.regret[0]:.4f} | {row.beats:.2f} | {runs}"
        name = known.get(row.name, row.name)
        lines.append(f"| {name} | {figures} | [record]({RECORDS}/{record}/report.md) |")
    return lines


def blocks() -> list[tuple[str, str, str]]:
    """Return for each record that is there its begin mark, its end mark, and the whole block."""
    found = []
    for mark, record in TABLES.items():
        if (ROOT / RECORDS / record / "run.json").exists():
            begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
            found.append((begin, end, f"{begin}\n{table(record)}\n{end}"))
    return found


if __name__ == "__main__":
    made = blocks()
    if "--print" in sys.argv:
        print("\n\n".join(block for _, _, block in made))
        sys.exit()
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    for begin, end, block in made:
        if begin not in text:
            raise SystemExit(f"README.md has no place for {begin}")
        text = re.sub(f"{begin}.*?{end}", lambda _, b=block: b, text, flags=re.DOTALL)
    readme.write_text(text, encoding="utf-8")
