"""Scripts that speak with their study, alone and as many ranks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from maquette.executor import Outcome
from maquette.executor.reports import read_reports
from maquette.executor.script import RANK, serving
from maquette.sweep import Program
from maquette.sweep.results import Form
from maquette.trial import Action, Decision, Report, State
from tests.services import needs
from tests.sweep.programs import outcome, python
from tests.sweep.test_program import alive

ROOT = Path(__file__).parents[2]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
CURVE = """
import maquette as mq
trial = mq.current_trial()
assert trial is mq.current_trial()
for step in range(1, 6):
    if not trial.report(step, loss=trial["lr"] / step, cost=10 * step):
        break
"""


def stop_at(step: float) -> Callable[[Report], Decision]:
    def decide(report: Report) -> Decision:
        return Decision(Action.STOP if report.step == step else Action.CONTINUE, reason="enough")

    return decide


def test_a_script_is_told_and_reports(tmp_path: Path) -> None:
    code = CURVE + "print(trial.until, trial.scale, trial.seed, trial.folder)"
    ended = outcome(python(code), tmp_path)
    assert ended.state is State.DONE
    assert ended.metrics == {"loss": 0.1 / 5}  # the last report, where nothing is printed
    assert ended.cost == 50.0
    reports = read_reports(tmp_path / "000000")
    assert [r.metrics["loss"] for r in reports] == [0.1 / s for s in (1, 2, 3, 4, 5)]


def test_a_result_that_is_printed_counts_more_than_the_last_report(tmp_path: Path) -> None:
    ended = outcome(python(CURVE + "print('{\"loss\": 7}')"), tmp_path)
    assert ended.metrics == {"loss": 7}


def test_a_script_that_is_told_to_stop_stops(tmp_path: Path) -> None:
    ended = outcome(python(CURVE), tmp_path, stop_at(2))
    assert (ended.state, ended.message) == (State.STOPPED, "enough")
    assert [r.step for r in read_reports(tmp_path / "000000")] == [1, 2]
    ended = outcome(python(CURVE + "print('{\"loss\": 7}')"), tmp_path, stop_at(2))
    assert (ended.state, ended.metrics) == (State.STOPPED, {"loss": 7})


def test_a_result_file_is_read_where_it_is_written(tmp_path: Path) -> None:
    form = Form("file", file="{folder}/result.json")
    write = "(trial.folder / 'result.json').write_text('{\"loss\": 7}')"
    assert outcome(python(CURVE, form=form), tmp_path, stop_at(2)).metrics == {}
    ended = outcome(python(CURVE + write, form=form), tmp_path, stop_at(2))
    assert (ended.state, ended.metrics) == (State.STOPPED, {"loss": 7})


def test_measurements_that_are_printed_too_are_not_reported_twice(tmp_path: Path) -> None:
    code = CURVE.replace("    if not", '    print(\'{"step": %d, "loss": 9}\' % step)\n    if not')
    outcome(python(code), tmp_path)
    losses = [r.metrics["loss"] for r in read_reports(tmp_path / "000000")]
    assert losses.count(9) <= 1  # what was printed before the first report


def test_outside_of_a_study_a_script_runs_alone(tmp_path: Path) -> None:
    code = (
        "import maquette as mq; t = mq.current_trial();"
        "print(t.number, dict(t), bool(t.report(1, loss=2.0)))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "MAQUETTE_TRIAL"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "-1 {} True\n"


def test_a_trial_that_cannot_be_read_is_named() -> None:
    code = "import maquette as mq; mq.current_trial()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MAQUETTE_TRIAL": "/nowhere"},
    )
    assert "MAQUETTE_TRIAL names /nowhere" in done.stderr


def test_what_launched_the_driver_makes_no_ranks_of_its_programs(tmp_path: Path) -> None:
    launched = {"RANK": "3", "WORLD_SIZE": "4", "SLURM_PROCID": "3", "SLURM_JOB_ID": "12"}
    assert set(serving(tmp_path, launched)) == {"SLURM_JOB_ID", "MAQUETTE_TRIAL"}
    # A batch system's own rank is what its program is.
    assert serving(tmp_path, {**launched, RANK: "3"})["WORLD_SIZE"] == "4"


def ranked(how: str, folder: Path, decide=None) -> Outcome:
    program = Program((*TORCHRUN, "-m", "tests.sweep.ranked", how))
    return outcome(program, folder, decide)


@pytest.fixture
def in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}{os.pathsep}{ROOT}")


@needs("torch")
@pytest.mark.slow
@pytest.mark.usefixtures("in_root")
class TestRanks:
    def test_the_first_reports_and_all_stop_together(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        ended = ranked("well", tmp_path, stop_at(4))
        assert (ended.state, ended.message) == (State.STOPPED, "enough")
        reports = read_reports(tmp_path / "000000")
        assert [r.metrics["loss"] for r in reports] == [0.1 / s for s in (1, 2, 3, 4)]
        shards = sorted(p.name for p in (tmp_path / "000000/checkpoints/4").glob("shard*"))
        assert shards == ["shard0", "shard1"]
        said = capfd.readouterr().out
        assert "rank 0 says well" in said
        assert "rank 1 says well" in said

    def test_a_rank_that_dies_ends_the_job_once(self, tmp_path: Path) -> None:
        ended = ranked("die", tmp_path)
        assert ended.state is State.CRASHED
        pids = [int((tmp_path / f"000000/pid{r}").read_text()) for r in (0, 1)]
        assert not any(map(alive, pids))
        assert len(read_reports(tmp_path / "000000")) in (2, 3)

    def test_a_mistake_of_the_first_is_one_of_all(self, tmp_path: Path) -> None:
        """The others do not wait for an answer that never comes."""
        ended = ranked("wrong", tmp_path)
        assert ended.state is State.CRASHED
        assert len(read_reports(tmp_path / "000000")) == 1
