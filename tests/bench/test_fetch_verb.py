"""``maquette bench fetch``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer

from maquette.cli.fetch import fetch
from tests.services import data_folder, needs


@needs("data")
def test_it_says_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data_folder() / "regmix", tmp_path / "regmix")
    monkeypatch.setenv("MAQUETTE_DATA", str(tmp_path))
    fetch(["regmix", "synthetic"], as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(tmp_path)
    assert set(found["files"]["regmix"].values()) == {"present"}
    assert found["files"]["synthetic"] == {}
    fetch(["regmix"])
    assert "MIT" in capsys.readouterr().out


def test_what_fails_does_not_keep_the_others_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAQUETTE_DATA", str(tmp_path))
    with pytest.raises(typer.Exit) as caught:
        fetch(["taskset", "synthetic"])
    assert caught.value.exit_code == 1
    shown = capsys.readouterr()
    assert "converted from Google TaskSet" in shown.err
    assert "missing" in shown.out
