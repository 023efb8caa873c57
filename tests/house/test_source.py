"""Rules of the house that the linters do not know."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "src").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

LINES, FUNCTION_LINES, PARAMETERS = 400, 60, 7


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def classes(path: Path) -> Iterator[ast.ClassDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield node


def named(nodes: list[ast.expr]) -> set[str]:
    """Return the last names of decorators or bases."""
    return {ast.unparse(n).split("(")[0].split("[")[0].split(".")[-1] for n in nodes}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_files_have_one_subject(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LINES


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_functions_are_short(path: Path) -> None:
    for node in functions(path):
        documented = ast.get_docstring(node, clean=False)
        lines = (node.end_lineno or 0) - node.lineno + 1
        lines -= documented.count("\n") + 1 if documented else 0
        assert lines <= FUNCTION_LINES, f"{node.name}: {lines} lines"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_functions_take_few_parameters(path: Path) -> None:
    """Options of a command are a verb's face, and a study has ten parts, each with a default."""
    if "cli" in path.parts:
        return
    for node in functions(path):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        own = [a for a in arguments if a.arg not in ("self", "cls")]
        if node.name != "__init__":
            assert len(own) <= PARAMETERS, f"{node.name}: {len(own)} parameters"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_classes_are_abstract_or_final(path: Path) -> None:
    for node in classes(path):
        bases = named(node.bases)
        open_kinds = {"Protocol", "ABC", "TypedDict", "NamedTuple", "StrEnum", "Enum", "IntEnum"}
        an_error = any(b.endswith(("Error", "Exception")) for b in bases)
        final = "final" in named(node.decorator_list)
        assert final or bases & open_kinds or an_error, f"{node.name} is neither"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_protocols_can_be_checked(path: Path) -> None:
    """The tests check every call against its annotations, protocols included."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and "Protocol" in named(node.bases):
            assert "runtime_checkable" in named(node.decorator_list), node.name


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_nothing_is_left_to_do(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"\b(?:TODO|FIXME|XXX|HACK|NotImplementedError)\b|/work/|/tmp/", text)
    assert not found


def imported(path: Path) -> set[str]:
    """Return every name that a file's import statements mention, dotted ones in parts."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            texts = [alias.name for alias in node.names]
            texts += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {part for text in texts for part in text.split(".")}
    return found


def test_every_module_is_used() -> None:
    """A module that nothing imports is a leftover."""
    every = [p for top in ("src", "tests", "benchmarks") for p in (ROOT / top).rglob("*.py")]
    names = {path: imported(path) for path in every}
    idle = [
        name
        for path, name in zip(FILES, NAMES, strict=True)
        if path.stem not in ("__init__", "__main__")
        and "example" not in path.parts  # what `maquette init` copies
        and "adapters" not in path.parts  # started by name, in other tuners' environments
        and not any(path.stem in found for other, found in names.items() if other != path)
    ]
    assert not idle
