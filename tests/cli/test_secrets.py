"""No verb shows a database's password."""

from __future__ import annotations

from pathlib import Path

import pytest

from maquette.cli.output import without_secrets
from tests.cli.conftest import STUDY, Cli

SECRET = "hunter2"
URL = f"postgresql://ada:{SECRET}@localhost:1/none?timeout=1&sslpassword={SECRET}"
VERBS = [
    ("doctor",),
    ("status",),
    ("best", "s"),
    ("show", "s"),
    ("watch", "s"),
    ("compare", "s", "t"),
    ("export", "s"),
    ("report", "s"),
    ("stop", "s"),
    ("requeue", "s"),
    ("add", "s", "--config", "x=1"),
    ("transfer", "s"),
    ("run", "bowl.py"),
    ("run", "bowl.py", "--dry-run"),
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_verb_shows_a_password(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    (tmp_path / "bowl.py").write_text(STUDY)
    monkeypatch.setenv("MAQUETTE_STORE", URL)
    result = cli(*verb)
    assert result.code in (1, 2)
    assert SECRET not in result.out + result.err


def test_passwords_are_taken_out_of_any_text() -> None:
    shown = without_secrets(f"['--store', '{URL}', 'WANDB_API_KEY={SECRET}']")
    assert SECRET not in shown
    assert "localhost:1/none" in shown
