"""What a user sees of sweep files that are wrong and of programs that behave badly."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.sweep.test_program import wait_until_gone, written_pids

SWEEP = f"""
name = "bad"
searcher = "random"
[space]
x = {{ float = [0, 1] }}
[trial]
command = ["{sys.executable}", "train.py", "{{x}}"]
"""


def sweep(cli: Cli, folder: Path, code: str, *options: object, text: str = SWEEP) -> int:
    (folder / "train.py").write_text(code)
    (folder / "sweep.toml").write_text(text)
    return cli("run", "sweep.toml", "--budget", "trials=2", *options).code


def test_every_mistake_of_a_file_at_once_and_nothing_is_made(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(
        "sede = 1\nworkers = 0\nsearcher = 'guass'\nexecutor = 'slrum'\n"
        "[space]\nlr = { float = [1, 0.1], log = true }\nbeta = { float = [0, 1] }\n"
        "[objective]\nminimise = 'loss'\n"
        "[trial]\ncommand = 'no-such-program-7 --lr {rl}'\ntimeout = '4 hours'\ngpus = -1\n"
        "result = { los = 'loss (' }\n"
    )
    result = cli("run", "sweep.toml")
    assert (result.code, result.out) == (2, "")
    numbered = [line for line in result.err.splitlines() if line.lstrip()[:1].isdigit()]
    assert len(numbered) >= 12
    assert f"{len(numbered)} problems" in result.err.splitlines()[0]
    for words in (
        "sede: unknown key. Did you mean 'seed'?",
        "workers: must be a whole number, 1 or more",
        "Valid: auto",
        "Did you mean 'slurm'?",
        "space.lr: low 1 is above high 0.1",
        "space.beta: stands nowhere",
        "Did you mean 'minimize'?",
        "no program 'no-such-program-7'",
        "unknown placeholder {rl}",
        "trial.timeout: must be seconds",
        "trial.gpus: must be a whole number",
        "trial.result.los: 'loss (' is not a regular expression",
    ):
        assert words in result.err, words
    assert "maquette init DIR --sweep" in result.err
    assert os.listdir(tmp_path) == ["sweep.toml"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("pass", ["printed no result", 'for example {"loss": 0.31}']),
        ("print('loss: 3')", ["printed no result"]),
        ("print('{\"los\": 3}')", ["no result has the metric 'loss'", "Did you mean 'los'?"]),
        ('print(\'{"loss": "low"}\')', ["'loss' is 'low'", "not a number"]),
    ],
)
def test_a_program_without_a_result_fails_the_run_and_says_why(
    cli: Cli, tmp_path: Path, code: str, words: list[str]
) -> None:
    assert sweep(cli, tmp_path, code) == 1
    assert cli("status", "bad", "--json").json["trials"] == {"crashed": 2}
    shown = " ".join(cli("show", "bad", 0).out.split())
    said = " ".join(cli("run", "sweep.toml", "--budget", "trials=2").err.split())
    for word in words:
        assert word in shown
    assert words[0] in said


def test_of_two_results_the_last_counts_and_the_log_says_so(cli: Cli, tmp_path: Path) -> None:
    code = "print('{\"loss\": 3}')\nprint('{\"loss\": 2}')\nprint('{\"loss\": 7}')\n"
    assert sweep(cli, tmp_path, code) == 0
    assert [t["loss"] for t in cli("show", "bad", "--json").json] == [7, 7]
    logs = [path.read_text() for path in tmp_path.glob("maquette.trials/*/*/log.txt")]
    assert len(logs) == 2
    assert all("3 results were printed; the last one counts" in log for log in logs)


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open("pids", "a") as file:
    file.write(f"{os.getpid()}\\n")
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    file.write(f"{child.pid}\\n")
while True:
    time.sleep(1)
"""


def test_a_program_that_ignores_sigterm_ends_with_its_children_at_the_timeout(
    cli: Cli, tmp_path: Path
) -> None:
    text = SWEEP + 'timeout = "6s"\ngrace = "60s"\n'
    assert sweep(cli, tmp_path, STUBBORN, "--workers", 2, text=text) == 1
    assert cli("status", "bad", "--json").json["trials"] == {"timeout": 2}
    assert "took longer than 6 s" in cli("show", "bad", 0, "--json").json["message"]
    wait_until_gone(written_pids(tmp_path / "pids", 4))
