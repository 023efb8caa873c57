"""No verb shows a database's password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from maquette.masking import without_secrets
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


@pytest.mark.parametrize(
    "said",
    [
        f"cannot reach s3://ada:{SECRET}@host/bucket",
        f"POST https://host/log?api_key={SECRET}&run=3 failed",
        f"WANDB_API_KEY={SECRET}",
        f"login(password='{SECRET}', retries=3)",
        f"headers: {{'token': '{SECRET}'}}",
        f'{{"db-password": "{SECRET} {SECRET}"}}',
        f"usage: train.py --hf-token {SECRET}",
        f"['train.py', '--token', '{SECRET}']",
        f"Authorization: Bearer {SECRET}{SECRET}{SECRET}",
        f"AWS_SECRET_ACCESS_KEY = {SECRET}",
    ],
)
def test_secrets_are_taken_out_wherever_they_stand(said: str) -> None:
    shown = without_secrets(said)
    assert SECRET not in shown
    assert without_secrets(shown) == shown


@pytest.mark.parametrize(
    "said",
    [
        "tokens=2e10 width=512",
        "tokenizer=bpe",
        "if token == expected:",
        "unexpected token: '}'",
        "a password is needed\nhint: see docs",
        "https://host/a?b=c",
        "-" * 100_000 + "a" * 100_000,
    ],
)
def test_what_is_no_secret_stays(said: str) -> None:
    assert without_secrets(said) == said


LEAKY = f"""
import sys
print("connecting to postgresql://ada:{SECRET}@host/runs", file=sys.stderr)
sys.exit("refused: token={SECRET} api_key={SECRET} at width=512")
"""
LOOKS = [
    ("show", "leaky", 0),
    ("show", "leaky", 0, "--json"),
    ("show", "leaky", "--json"),
    ("export", "leaky"),
    ("export", "leaky", "--json"),
    ("status", "leaky", "--json"),
    ("best", "leaky"),
    ("report", "leaky"),
]


@pytest.mark.parametrize("how", ["program", "function"])
def test_what_a_program_said_is_kept_without_its_secrets(
    cli: Cli, tmp_path: Path, how: str
) -> None:
    (tmp_path / "train.py").write_text(LEAKY)
    (tmp_path / "leaky.toml").write_text(
        "name = 'leaky'\n[space]\nx = { float = [0, 1] }\n"
        f"[trial]\ncommand = ['{sys.executable}', 'train.py', '{{x}}']\n"
    )
    (tmp_path / "leaky.py").write_text(
        "import maquette as mq\ndef fn(trial):\n"
        f"    raise OSError('refused: token={SECRET} at width=512')\n"
        "study = mq.Study('leaky', {'x': mq.Float(0, 1)}, fn)\n"
    )
    file = "leaky.toml" if how == "program" else "leaky.py"
    assert cli("run", file, "--budget", "trials=2", "--executor", "process").code == 1
    said = cli("show", "leaky", 0).out
    assert "refused: token=..." in said
    assert "width=512" in said
    for look in LOOKS:
        result = cli(*look)
        assert SECRET not in result.out + result.err, look
    pages = [path.read_text() for path in tmp_path.glob("*.html")]
    assert not any(SECRET in page for page in pages)
    assert SECRET.encode() not in b"".join(p.read_bytes() for p in tmp_path.glob("maquette.db*"))
