"""`maquette run --warm-start`: what an earlier study or a file taught comes first."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import STUDY, Cli

NEXT = STUDY.replace('mq.Study("bowl"', 'mq.Study("next"').replace('searcher="random"', "seed=1")


def test_a_study_starts_from_another_and_a_file(bowl: Cli, tmp_path: Path) -> None:
    (tmp_path / "next.py").write_text(NEXT)
    rows = "\n".join(f"{x / 10},{abs(x / 10 - 0.3)}" for x in range(1, 6))
    (tmp_path / "runs.csv").write_text(f"x,loss\n{rows}\n")
    given = ("--warm-start", "bowl", "--warm-start", "runs.csv")
    planned = bowl("run", "next.py", *given, "--dry-run", "--budget", "trials=2", "--json")
    assert planned.code == 0, planned.err
    assert planned.json["proposals"][0]["origin"].endswith("past")
    assert bowl("run", "next.py", *given, "--budget", "trials=2").code == 0
    first = bowl("show", "next", 0, "--json").json
    assert first["origin"] == "auto:past"
    assert abs(first["config"]["x"] - 0.3) < 0.1
    assert bowl("run", "next.py", "--budget", "trials=3").code == 0
    other = bowl("run", "next.py", "--warm-start", "runs.csv", "--budget", "trials=4")
    assert other.code == 2
    assert "warm_start differs" in other.err


def test_a_sweep_file_names_them(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("x,loss\n0.1,1\n0.2,0\n0.3,2\n")
    sweep = '[space]\nx = { float = [0, 1] }\n[trial]\ncommand = "echo {{\\"loss\\": {x}}}"\n'
    (tmp_path / "sweep.toml").write_text('warm_start = ["runs.csv"]\n' + sweep)
    plan = cli("run", "sweep.toml", "--dry-run", "--json").json
    assert plan["proposals"][0]["config"] == {"x": 0.2}
    (tmp_path / "sweep.toml").write_text("warm_start = [3]\n" + sweep)
    assert "warm_start: names of studies or files" in cli("run", "sweep.toml", "--dry-run").err
