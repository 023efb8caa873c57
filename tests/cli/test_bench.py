"""``maquette bench``: what can be compared, and what is asked for in vain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_what_can_be_compared_is_listed(cli: Cli) -> None:
    listed = cli("bench", "list", "--json").json
    assert "quick" in [s["name"] for s in listed["suites"]]
    assert "fcnet/protein_structure" in listed["tasks"]["fcnet"]
    assert "optuna/tpe" in listed["optimizers"]["optuna"]
    assert "gp" in listed["optimizers"]["maquette"]
    text = cli("bench", "list").out
    for word in ("quick", "fcnet", "optuna/tpe"):
        assert word in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--suite quik --out o", "Did you mean 'quick'?"),
        ("--suite quick --optimizers gpp,optuna --out o", "Did you mean 'optuna/"),
        ("--suite quick --seeds 0 --out o", "not a whole number, 1 or more"),
        ("--suite quick --budget trails=5 --out o", "unknown name 'trails'"),
        ("--suite quick", "--out"),
    ],
)
def test_what_is_asked_for_in_vain_is_named(cli: Cli, options: str, words: str) -> None:
    told = cli("bench", "run", *options.split())
    assert told.code == 2
    assert words in told.err


def test_a_peer_that_cannot_be_installed(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Did you mean 'optuna'" in cli("bench", "peers", "install", "optun").err
    monkeypatch.setenv("MAQUETTE_PEERS", str(tmp_path / "peers"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    told = cli("bench", "peers", "install", "hyperopt", "--json")
    assert told.code == 1
    assert told.json["hyperopt"]["state"] == "failed"
    assert "hyperopt" in told.json["hyperopt"]["reason"]
    assert cli("bench", "list", "--json").json["peers"]["hyperopt"] == "failed"
