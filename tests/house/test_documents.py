"""The README, the docs and the records say what is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from maquette.cli import app

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(p for top in ("docs", "examples", "benchmarks") for p in (ROOT / top).rglob("*.md")),
    ]
)
IDS = [str(p.relative_to(ROOT)) for p in PAGES]


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target} leads nowhere"
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_pages_speak_of_the_product_alone(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"\b(?:TODO|FIXME|TBD|lorem)\b|/work/|/tmp/", text)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


# tests/nn runs the parametrization page, whose model is to be given.
RUNNABLE = [
    p for p in PAGES if (p == README or "docs" in p.parts) and p.name != "parametrization.md"
]


@pytest.mark.parametrize("page", RUNNABLE, ids=[str(p.relative_to(ROOT)) for p in RUNNABLE])
def test_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """The Python blocks of a page, in order, as one program.

    Not run: `text`, and `py`, which needs a cluster or a download.
    """
    code = "\n".join(blocks(page, "python"))
    if not code:
        return
    for library in ("torch", "optuna", "sklearn"):
        if f"import {library}" in code or f"from {library}" in code:
            pytest.importorskip(library)
    (tmp_path / "page.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for recipe in (b for b in blocks(page, "text") if b.startswith("At ")):
        # Digits differ from machine to machine.
        assert re.sub(r"[\d.]+", "#", recipe) in re.sub(r"[\d.]+", "#", done.stdout), done.stdout


def verbs(group: Any = None, before: str = "") -> dict[str, Any]:
    """Every verb by its name, those of a group as ``bench run``."""
    found: dict[str, Any] = {}
    for name, command in (group or typer.main.get_command(app.build())).commands.items():
        inner = hasattr(command, "commands")
        found |= verbs(command, f"{before}{name} ") if inner else {before + name: command}
    return found


def verb(words: list[str], known: dict[str, Any]) -> str:
    """The verb that a command line names, of one word or more; empty: none."""
    names = (" ".join(words[:count]) for count in (3, 2, 1))
    return next((name for name in names if name in known), "")


def test_the_command_line_is_documented_as_it_is() -> None:
    """`python docs/cli.py` writes the page."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "cli.py", "--print"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == done.stdout, "docs/cli.md is not current: run python docs/cli.py"
    for name in verbs():
        assert f"## maquette {name}" in page


@pytest.mark.parametrize("page", [README, *sorted((ROOT / "docs").rglob("*.md"))], ids=str)
def test_commands_in_the_pages_exist(page: Path) -> None:
    known = verbs()
    for line in "\n".join(blocks(page, "sh")).splitlines():
        # What stands after -- is another program's.
        words = line.split("#")[0].split(" -- ")[0].split()
        if words[:1] == ["maquette"] and len(words) > 1 and not words[1].startswith("-"):
            name = verb(words[1:], known)
            assert name, line
            options = {o for p in known[name].params for o in p.opts}
            for word in words[2:]:
                if word.startswith("--"):
                    assert word in options, line
        if words[:1] == ["make"]:
            targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert set(words[1:2]) <= set(targets), line


def test_figures_in_the_readme_are_those_of_the_records() -> None:
    """A row of a table that links to a record quotes its README's numbers, digit by digit."""
    for line in README.read_text(encoding="utf-8").splitlines():
        linked = re.findall(r"\((benchmarks/records/[^)]+?)/?\)", line)
        if not (line.startswith("|") and linked):
            continue
        record = ROOT / linked[0]
        text = (record if record.is_file() else record / "README.md").read_text(encoding="utf-8")
        bare = re.sub(r"\([^)]*\)", "", line)
        for number in re.findall(r"\d+(?:[.,]\d+)*", bare):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.]*\d)", text), (
                f"{number} is not in {record}: {line}"
            )


def test_the_tables_of_tuners_are_what_the_records_give() -> None:
    """`python benchmarks/leaderboard/readme.py` writes them, from the packed results alone."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "leaderboard" / "readme.py", "--print"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    blocks = done.stdout.strip().split("\n\n")
    assert blocks[0].startswith("<!-- leaderboard -->")
    for block in blocks:
        assert block in README.read_text(encoding="utf-8")


def test_every_record_says_how_it_was_made() -> None:
    for folder in (ROOT / "benchmarks" / "records").iterdir():
        if folder.is_dir():
            text = (folder / "README.md").read_text(encoding="utf-8")
            assert re.match(r"\d{4}-\d{2}-\d{2}-", folder.name), folder
            assert "```" in text, f"{folder.name}: no command"
