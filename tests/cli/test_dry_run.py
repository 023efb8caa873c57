"""`maquette run --dry-run` says what would run, and touches nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.cli.conftest import STUDY, Cli


def prints(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }


def test_a_dry_run_makes_no_store(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bowl.py").write_text(STUDY)
    result = cli("run", "bowl.py", "--dry-run", "--budget", "trials=9", "--workers", 2)
    assert result.code == 0
    assert "bowl: 0 trials so far; budget: trials 9" in result.out
    assert "cost: unknown before the first trial has ended" in result.out
    assert [p.name for p in tmp_path.iterdir() if p.name != "__pycache__"] == ["bowl.py"]


def test_a_dry_run_forecasts_and_says_what_comes_first(bowl: Cli, tmp_path: Path) -> None:
    before = prints(tmp_path)
    plan = bowl("run", "bowl.py", "--dry-run", "--budget", "trials=30", "--json").json
    assert prints(tmp_path) == before
    assert plan["so_far"] == 24
    assert plan["trials"]["mean"] == 6
    low, high = plan["seconds"]["interval"]
    assert 0 < low < high
    assert plan["executor"] == "inline"
    first = plan["proposals"][0]
    assert bowl("run", "bowl.py", "--budget", "trials=30").code == 0
    trial = bowl("show", "bowl", first["trial"], "--json").json
    assert (trial["config"], trial["scale"]) == (first["config"], first["scale"])


def test_a_sweep_is_planned_without_its_program(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(
        "[space]\nx = { float = [0, 1] }\n[fidelity]\nsteps = [1, 9]\n"
        '[trial]\ncommand = "touch ran-{x}-{steps}"\n'
    )
    found = cli("run", "sweep.toml", "--dry-run", "--json", "--store", "other.db")
    assert found.code == 0
    assert found.json["rungs"] == [{"until": {"steps": 9}, "scale": {}, "jobs": 50.0}]
    assert [p.name for p in tmp_path.iterdir()] == ["sweep.toml"]


def test_a_dry_run_refuses_what_a_run_would(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text(
        "import maquette as mq\nstudy = mq.Study('n', {'x': mq.Float(0, 1)})\n"
    )
    assert "no function" in cli("run", "none.py", "--dry-run").err
    (tmp_path / "bowl.py").write_text(STUDY)
    assert cli("run", "bowl.py", "--dry-run", "--executor", "cloud").code == 2
    assert cli("run", "bowl.py", "--dry-run", "--store", "mysql://x").code == 2
