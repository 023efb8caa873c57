from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import maquette as mq
from maquette.errors import MaquetteError
from tests.cli.conftest import STUDY, Cli


def test_the_same_command_resumes(bowl: Cli) -> None:
    before = bowl("export", "bowl").out
    again = bowl("run", "bowl.py", "--budget", "trials=24")
    assert again.code == 0
    assert bowl("export", "bowl").out == before
    more = bowl("run", "bowl.py", "--budget", "trials=30", "--json")
    assert sum(more.json["trials"].values()) == 30
    assert bowl("export", "bowl").out.startswith(before)


def test_the_recorded_budget_is_the_default(bowl: Cli) -> None:
    assert sum(bowl("run", "bowl.py", "--json").json["trials"].values()) == 24


def test_answers_go_to_stdout_and_progress_to_stderr(bowl: Cli) -> None:
    result = bowl("run", "bowl.py", "--budget", "trials=26")
    assert "Best at width 16" in result.out
    assert "26/26 trials" in result.err
    assert "trials," not in result.out


def test_failed_trials_do_not_fail_the_run(bowl: Cli) -> None:
    assert bowl("status", "bowl", "--json").json["trials"].keys() == {"done", "crashed"}


def test_a_run_without_any_result_fails(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "import maquette as mq\n"
        "def fn(trial):\n    raise RuntimeError('no such file: data.bin')\n"
        "s = mq.Study('broken', {'x': mq.Float(0, 1)}, fn)\n"
    )
    result = cli("run", "broken.py", "--budget", "trials=2")
    assert result.code == 1
    assert "no such file: data.bin" in result.err
    assert cli("status", "broken", "--json").json["trials"] == {"crashed": 2}


def test_several_studies_in_a_file_are_named(cli: Cli, tmp_path: Path) -> None:
    text = STUDY + "other = mq.Study('other', {'y': mq.Float(0, 1)}, lambda t: t['y'])\n"
    (tmp_path / "two_studies.py").write_text(text)
    refused = cli("run", "two_studies.py")
    assert refused.code == 2
    assert "study, other" in refused.err
    assert cli("run", "two_studies.py:other", "--budget", "trials=3").code == 0
    typo = cli("run", "two_studies.py:othr")
    assert typo.code == 2
    assert "Did you mean 'other'?" in typo.err


def test_store_and_seed_replace_the_file_s(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "placed.py").write_text(STUDY.replace("scale=scale", "scale=scale, store='own.db'"))
    assert cli("run", "placed.py", "--budget", "trials=2", "--store", "a.db").code == 0
    assert not (tmp_path / "own.db").exists()
    assert (tmp_path / "a.db").exists()
    options = ("--budget", "trials=2", "--seed", 7, "--store", "b.db")
    assert cli("run", "placed.py", *options).code == 0
    first, second = (cli("export", "bowl", "--store", f"{n}.db").out for n in "ab")
    assert first != second


def test_workers_run_in_processes_that_leave_the_store_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "helper_of_bowl.py").write_text("def square(x):\n    return x * x\n")
    text = STUDY.replace("import maquette as mq", "import maquette as mq\nimport helper_of_bowl")
    text = text.replace('(trial["x"] - 0.3) ** 2', "helper_of_bowl.square(trial['x'] - 0.3)")
    (tmp_path / "forked.py").write_text(text.replace("scale=scale", "scale=scale, store='own.db'"))
    options = ("--budget", "trials=6", "--workers", 2, "--store", "c.db")
    result = cli("run", "forked.py", *options, "--json")
    assert result.code == 0
    assert sum(result.json["trials"].values()) == 6
    assert not (tmp_path / "own.db").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\ny = z\n", ["in line 2", "NameError", "'z'"]),
        ("def f(:\n", ["in line 1", "SyntaxError"]),
        ("import no_such_module\n", ["in line 1", "No module named 'no_such_module'"]),
        ("import sys\nsys.exit(4)\n", ["in line 2", "SystemExit: 4"]),
        ("x = 1\n", ["declares none"]),
        ("import maquette as mq\nmq.Space({'x': mq.Float(2, 1)})\n", ["x"]),
    ],
)
def test_a_file_that_fails_is_said_so_without_a_traceback(
    cli: Cli, tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "failing.py").write_text(text)
    result = cli("run", "failing.py")
    assert result.code == 2
    for word in words:
        assert word in result.err
    assert result.out == ""


def test_a_missing_file_names_the_nearest(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bowl.py").write_text(STUDY)
    result = cli("run", "bow.py")
    assert result.code == 2
    assert "Did you mean 'bowl.py'?" in result.err
    assert "not a Python file" in cli("run", "bowl").err


def test_a_file_may_be_called_like_a_module(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(STUDY)
    assert cli("run", "json.py", "--budget", "trials=2", "--json").json["study"] == "bowl"


def test_a_narrower_space_is_refused_with_the_difference(bowl: Cli, tmp_path: Path) -> None:
    (tmp_path / "bowl2.py").write_text(STUDY.replace("0.01, 1,", "0.1, 1,"))
    result = bowl("run", "bowl2.py")
    assert result.code == 2
    assert "narrower" in result.err
    assert "0.1" in result.err


SLOW = """
import time
import maquette as mq

def fn(trial):
    time.sleep(0.2)
    return trial["x"]

study = mq.Study("slow", {"x": mq.Float(0, 1)}, fn)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_exits_with_3_and_resumes(tmp_path: Path, workers: int) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "maquette", "run", "slow.py", "--workers", str(workers)]
    env = {k: v for k, v in os.environ.items() if k != "MAQUETTE_STORE"}
    process = subprocess.Popen(
        [*command, "--budget", "trials=100"],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _count(tmp_path) < 2:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "Traceback" not in err
    assert out == ""
    ended = _count(tmp_path)
    assert 2 <= ended < 100
    again = subprocess.run(
        [*command, "--budget", f"trials={ended + 2}", "--json"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert '"done"' in again.stdout


def _count(folder: Path) -> int:
    """Return the number of trials that are done."""
    try:
        study = mq.Study.load("slow", f"sqlite:///{folder}/maquette.db")
    except MaquetteError:
        return 0  # not made yet
    done = study.history.counts().get("done", 0)
    study.store.close()
    return done


def test_the_debugger_opens_where_a_trial_fails(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text(
        "import maquette as mq\n\n"
        "def fn(trial):\n    fish = 3.5\n    raise ValueError(fish)\n\n"
        "study = mq.Study('f', {'x': mq.Float(0.0, 1.0)}, fn)\n"
    )
    command = [sys.executable, "-m", "maquette", "run", "fails.py", "--budget", "trials=1"]
    done = subprocess.run(
        [*command, "--debug"],
        cwd=tmp_path,
        input="p 'the fish is', fish\nq\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "('the fish is', 3.5)" in done.stdout
    assert done.returncode == 1  # the trial is recorded as crashed, and none has a result
    assert mq.Study.load("f", f"sqlite:///{tmp_path}/maquette.db").history.counts() == {
        "crashed": 1
    }


@pytest.mark.parametrize("extra", [["--workers", "2"], ["--executor", "process"]])
def test_the_debugger_needs_trials_in_this_process(bowl: Cli, extra: list[str]) -> None:
    result = bowl("run", "bowl.py", "--debug", *extra)
    assert result.code == 2
    assert "--debug" in result.err


def test_limits_of_a_trial_need_processes(bowl: Cli) -> None:
    planned = bowl("run", "bowl.py", "--memory", "4GB", "--dry-run", "--json")
    assert planned.json["executor"] == "process"
    for extra, words in (
        (["--memory", "4GB", "--executor", "inline"], "'inline' gives trials no memory"),
        (["--gpus", "1", "--debug"], "'inline' gives trials no gpus"),
        (["--memory", "lots"], "must be a size such as"),
    ):
        result = bowl("run", "bowl.py", *extra)
        assert result.code == 2
        assert extra[0] in result.err
        assert words in " ".join(result.err.replace("│", " ").split())


def test_a_postgresql_that_is_not_there_is_said_at_once(bowl: Cli) -> None:
    pytest.importorskip("psycopg")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        port = taken.getsockname()[1]
        url = f"postgresql://ada:hunter2@127.0.0.1:{port}/runs"
        result = bowl("run", "bowl.py", "--store", url)
    assert result.code == 2
    assert f"127.0.0.1:{port}/runs does not answer" in result.err
    assert "hint: check that the server runs" in result.err
    assert "hunter2" not in result.err
