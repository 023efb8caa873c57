"""What is loaded when: start-up stays quick because nothing heavy is imported before its use."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "maquette"


def loaded(code: str) -> set[str]:
    """Return the modules that are loaded after `code` ran in a fresh interpreter."""
    script = f"{code}\nimport sys, json\nsys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(done.stderr))


def command(*args: str) -> str:
    """Return code that runs the command line and goes on."""
    return (
        "import sys\n"
        f"sys.argv = ['maquette', *{args!r}]\n"
        "from maquette.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
    )


def test_help_loads_nothing_heavy() -> None:
    found = loaded(command("--help"))
    assert found.isdisjoint({"numpy", "scipy", "sqlalchemy", "torch", "pandas", "rich"})


def test_the_help_of_every_verb_loads_nothing_heavy() -> None:
    verbs = re.findall(r"^    (\w+)\.\1,$", (SOURCE / "cli" / "app.py").read_text(), re.MULTILINE)
    assert "transfer" in verbs
    found = loaded("".join(command(verb, "--help") for verb in verbs))
    assert found.isdisjoint({"numpy", "scipy", "sqlalchemy", "torch"})


def test_importing_the_package_loads_nothing_heavy() -> None:
    found = loaded("import maquette")
    assert found.isdisjoint({"numpy", "torch", "sqlalchemy", "scipy.optimize", "scipy", "pandas"})


@pytest.mark.parametrize("name", ["Study", "Space", "minimize", "scaling", "search", "schedule"])
def test_public_names_load_neither_torch_nor_a_database(name: str) -> None:
    found = loaded(f"import maquette\nmaquette.{name}")
    assert found.isdisjoint({"torch", "sqlalchemy", "pandas", "matplotlib"})


def test_a_study_in_memory_needs_no_database() -> None:
    code = (
        "import maquette as mq\n"
        "mq.minimize(lambda t: t['x'], {'x': mq.Float(0, 1)}, 3, searcher='random')"
    )
    assert loaded(code).isdisjoint({"torch", "sqlalchemy"})


def test_every_public_name_resolves() -> None:
    import maquette

    assert set(maquette.__all__) <= set(dir(maquette))
    for name in maquette.__all__:
        if name != "nn":  # needs torch
            assert getattr(maquette, name) is not None
    with pytest.raises(AttributeError, match="stduy"):
        maquette.stduy  # noqa: B018 - the access is the test
