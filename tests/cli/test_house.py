"""What holds for every verb: help, JSON, exit codes, errors, colours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from maquette import __version__, errors
from maquette.cli import app, explain
from maquette.cli.output import table
from tests.cli.conftest import Cli

ROOT = typer.main.get_command(app.build())


def flat(group: Any, before: str = "") -> dict[str, Any]:
    """Every verb by its name, those of a group as ``bench run``."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        inner = hasattr(command, "commands")
        found |= flat(command, f"{before}{name} ") if inner else {before + name: command}
    return found


VERBS = flat(ROOT)


def test_the_version_is_the_package_s(cli: Cli) -> None:
    assert cli("--version").out.strip() == f"maquette {__version__}"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_and_parameter_has_help(verb: str) -> None:
    command = VERBS[verb]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{verb}: {parameter.name} has no help"
    assert "--json" in [option for p in command.params for option in p.opts]


def test_a_verb_with_a_typo_names_the_nearest(cli: Cli) -> None:
    result = cli("tranfer")
    assert result.code == 2
    assert "transfer" in result.err
    option = cli("status", "--jsn")
    assert option.code == 2
    assert "--json" in option.err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("best s --format yaml", "unknown value 'yaml'. Valid: toml, json, args, python"),
        ("export s --format jsno", "Did you mean 'json'?"),
        ("show s x", "'x' is not a whole number, 0 or more"),
        ("show s --limit 0", "'0' is not a whole number, 1 or more"),
        ("run s.py --workers two", "'two' is not a whole number"),
        ("run s.py --timeout -1", "'-1' is not a positive number"),
        ("demo --seed 1.5", "'1.5' is not a whole number"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(cli: Cli, command: str, words: str) -> None:
    result = cli(*command.split())
    assert result.code == 2
    assert words in result.err


def test_a_store_that_may_answer_again_is_no_wrong_usage(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise errors.StoreUnavailableError("the disk is full")

    monkeypatch.setattr(explain, "emit", full)
    assert cli("explain", "MQ250").code == 1


def test_an_error_goes_to_stderr_and_explains_itself(cli: Cli) -> None:
    result = cli("status", "x")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Error: ")
    assert "hint: " in result.err
    assert "\033" not in result.err


def test_every_error_code_is_explained_once() -> None:
    found: dict[str, type] = {}
    waiting = [errors.MaquetteError]
    import maquette.bench.peers.client
    import maquette.executor.launcher
    import maquette.store
    import maquette.study  # noqa: F401 - their errors are to be seen

    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        assert kind.code not in found, f"{kind} and {found.get(kind.code)} share {kind.code}"
        found[kind.code] = kind
    assert set(explain._EXPLANATIONS) == set(found)


def test_explain_and_its_nearest(cli: Cli) -> None:
    assert cli("explain", "mq250").out.startswith("MQ250: ")
    assert cli("explain", "MQ250", "--json").json["code"] == "MQ250"
    assert "MQ250" in cli("explain", "--json").json
    assert "Did you mean 'MQ250'?" in cli("explain", "MQ25").err


def test_doctor_finds_nothing_here_and_a_bad_store(cli: Cli, tmp_path: Path) -> None:
    assert cli("doctor").code == 0
    (tmp_path / "bad.db").write_text("this is no database, and long enough to be read as one")
    result = cli("doctor", "--store", "bad.db", "--json")
    assert result.code == 1
    assert any("bad.db" in p for p in result.json["problems"])


def test_init_writes_a_study_that_runs_and_never_overwrites(cli: Cli, tmp_path: Path) -> None:
    path = cli("init", "new", "--json").json["study"]
    (tmp_path / "new" / "study.py").rename(tmp_path / "new" / "own_study.py")
    result = cli("run", Path(path).with_name("own_study.py"), "--budget", "trials=3", "--json")
    assert sum(result.json["trials"].values()) == 3
    assert cli("init", "new").code == 0
    again = cli("init", "new")
    assert again.code == 2
    assert "left as it is" in again.err
    (tmp_path / "file").write_text("")
    assert cli("init", "file").code == 2


def test_a_bug_is_two_lines_and_a_log(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise ZeroDivisionError("one over none")

    monkeypatch.setattr(explain, "emit", broken)
    result = cli("explain", "MQ250")
    assert result.code == 1
    assert "one over none" in result.err
    log = Path(result.err.split()[-1])
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


def test_a_reader_that_goes_away_is_no_bug(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "maquette", "explain", "MQ100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read().decode()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Error" not in err
    assert "Traceback" not in err


def test_tables_align() -> None:
    text = table(("name", "n"), [("a", 1), ("long", 10.5), ("b", None)])
    assert text.splitlines() == ["name     n", "a        1", "long  10.5", "b"]
