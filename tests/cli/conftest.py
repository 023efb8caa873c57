"""Run the command line in this process, in a folder of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maquette.cli import main


@dataclass(frozen=True)
class Result:
    """What a command did: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout, read strictly."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


Cli = Callable[..., Result]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("MAQUETTE_STORE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def call(*args: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["maquette", *map(str, args)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Result(int(ended.value.code or 0), out, err)

    return call


STUDY = """
import maquette as mq

def fn(trial):
    if trial["x"] > 0.6:
        raise ValueError("too far")
    return {"loss": (trial["x"] - 0.3) ** 2 + 1 / trial.scale["width"], "extra": 1.0}

scale = mq.Scale([{"width": 8}, {"width": 16}], width=(8, 64))
study = mq.Study("bowl", {"x": mq.Float(0.01, 1, log=True)}, fn, scale=scale, searcher="random")
"""


@pytest.fixture
def bowl(cli: Cli, tmp_path: Path) -> Cli:
    """The command line in a folder with a study that has run."""
    (tmp_path / "bowl.py").write_text(STUDY)
    assert cli("run", "bowl.py", "--budget", "trials=24").code == 0
    return cli
