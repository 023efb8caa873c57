"""Jobs that go on without their driver, and how they are found, ended and told apart."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import maquette as mq
from maquette.executor import Slurm, open_executor
from maquette.executor.reports import read_reports
from maquette.testing import executor_jobs
from maquette.testing.executors import finish, task
from maquette.trial import Action, Decision, State
from tests.executor import jobs
from tests.services import needs

pytestmark = needs("submitit")

ROOT = Path(__file__).parents[2]


def opened(fn, workers=1, **options):
    return open_executor(Slurm(cluster="local", grace=1.0, **options), fn, workers)


def wait_for(condition, timeout=60.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def agents(folder):
    """Return the processes that submitit runs for the runs below a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes()
            if b"submitit" in words and str(folder).encode() in words:
                found.append(int(path.parent.name))
    return found


def agent_of(noted):
    """Return the process that started a job's server."""
    return int(Path(f"/proc/{noted['server']}/stat").read_text().rpartition(")")[2].split()[1])


def test_another_driver_takes_over_where_the_first_one_stopped(tmp_path):
    what, heard = task(tmp_path, x=1.0), []

    def listen(job, report):
        heard.append(report.step)
        if report.step == 2:
            raise InterruptedError  # it dies between hearing and answering
        return Decision()

    first = opened(jobs.steady)
    first.start(what)
    with pytest.raises(InterruptedError):
        finish(first, listen)
    with contextlib.closing(opened(jobs.steady)) as second:
        assert set(second.survivors([what, task(tmp_path, job=5)])) == {0}
        second.adopt(what, reports=2)

        def stop(job, report):
            heard.append(report.step)
            return Decision(Action.STOP if report.step == 4 else Action.CONTINUE, reason="enough")

        outcome = finish(second, stop)[0]
    assert outcome.state is State.STOPPED
    assert heard == [1, 2, 3, 4]
    first.close()


def test_a_result_that_nobody_heard_is_found(tmp_path):
    what = task(tmp_path, x=0.25)
    first = opened(executor_jobs.number)
    first.start(what)
    wait_for(lambda: list(tmp_path.glob("0/runs/*/outcome.json")))
    with contextlib.closing(opened(executor_jobs.number)) as second:
        assert set(second.survivors([what])) == {0}
        second.adopt(what, reports=0)
        assert finish(second)[0].metrics == {"loss": 0.25}
    first.close()


def test_what_vanished_between_the_look_and_the_take_over_is_lost(tmp_path):
    with contextlib.closing(opened(executor_jobs.number)) as executor:
        executor.adopt(task(tmp_path), reports=0)
        outcome = finish(executor)[0]
    assert outcome.lost


def test_a_job_whose_machine_is_gone_is_no_survivor(tmp_path):
    what = task(tmp_path, x=60.0)
    first = opened(jobs.pids)
    first.start(what)
    noted = jobs.noted(tmp_path / "0")
    for pid in agents(tmp_path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    first.close()
    assert jobs.gone([noted["job"], noted["server"]], 10.0) == []
    with contextlib.suppress(ProcessLookupError):
        os.kill(noted["child"], signal.SIGKILL)
    with contextlib.closing(opened(jobs.pids)) as second:
        assert set(second.survivors([what])) == set()


def test_the_death_of_an_agent_ends_its_job(tmp_path):
    with contextlib.closing(opened(jobs.pids)) as executor:
        executor.start(task(tmp_path, x=60.0))
        noted = jobs.noted(tmp_path / "0")
        os.kill(agent_of(noted), signal.SIGKILL)
        outcome = finish(executor)[0]
    assert outcome.state is State.CRASHED
    assert jobs.gone([noted["job"], noted["server"]], 10.0) == []


@pytest.mark.parametrize(("left", "lost"), [(86400, True), (8, False), (None, False)])
def test_a_warning_is_a_preemption_unless_the_limit_is_near(tmp_path, monkeypatch, left, lost):
    if left is not None:
        monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + left))
    with contextlib.closing(opened(jobs.pids)) as executor:
        executor.start(task(tmp_path, x=60.0))
        noted = jobs.noted(tmp_path / "0")
        for pid in (noted["job"], noted["server"], agent_of(noted)):
            os.kill(pid, signal.SIGUSR2)  # as Slurm does: every process of the job
        outcome = finish(executor)[0]
    assert outcome.lost == lost
    assert outcome.state is (State.INTERRUPTED if lost else State.TIMEOUT)


def test_a_job_that_is_ended_from_outside_has_its_grace(tmp_path):
    with contextlib.closing(opened(jobs.saves_when_told)) as executor:
        executor.start(task(tmp_path, x=60.0))
        wait_for((tmp_path / "0" / "pids").exists)
        noted = jobs.noted(tmp_path / "0")
        for pid in (noted["server"], noted["job"], agent_of(noted)):
            os.kill(pid, signal.SIGTERM)
        outcome = finish(executor)[0]
    assert (tmp_path / "0" / "saved").exists()
    # The agent leaves it to the batch system to say why.
    assert "its process ended" in outcome.message


def test_a_driver_that_lost_its_lease_cannot_end_the_job_of_its_successor(tmp_path):
    first = opened(executor_jobs.sleep)
    first.start(task(tmp_path, x=3.0))
    with contextlib.closing(opened(executor_jobs.sleep)) as second:
        second.adopt(replace(task(tmp_path, x=3.0), token=7), reports=0)
        first.cancel(0)
        assert finish(second)[0].state is State.DONE
    first.close()


def test_an_earlier_run_of_a_job_ends_when_it_is_started_again(tmp_path):
    first = opened(jobs.pids)
    first.start(task(tmp_path, x=60.0))
    noted = jobs.noted(tmp_path / "0")
    with contextlib.closing(opened(executor_jobs.number)) as second:
        second.start(task(tmp_path, x=0.5))
        assert finish(second)[0].state is State.DONE
    assert jobs.gone([noted["job"], noted["child"]], 10.0) == []
    first.close()


def test_ctrl_c_at_the_terminal_does_not_reach_a_job(tmp_path):
    with contextlib.closing(opened(executor_jobs.sleep)) as executor:
        executor.start(task(tmp_path, x=1.0))
        wait_for(lambda: agents(tmp_path))
        for pid in agents(tmp_path):
            os.kill(pid, signal.SIGINT)
        assert finish(executor)[0].state is State.DONE


def test_closing_leaves_nothing_behind(tmp_path):
    executor = opened(jobs.pids, 2)
    for job in range(2):
        executor.start(task(tmp_path, job, x=60.0))
    noted = [jobs.noted(tmp_path / str(job)) for job in range(2)]
    executor.close()
    assert agents(tmp_path) == []
    assert jobs.gone([n[k] for n in noted for k in ("job", "server", "child")], 5.0) == []


DRIVER = """
import sys
import maquette as mq
from tests.executor import jobs
study = mq.Study("s", {"x": mq.Float(0, 1)}, jobs.steady, store=sys.argv[1], searcher="random")
study.run(4, workers=2, executor=mq.executor.Slurm(cluster="local", grace=1.0))
"""


@pytest.mark.slow
def test_a_restarted_driver_adopts_what_still_runs(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    command = [sys.executable, "-c", DRIVER, url]
    driver = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    wait_for((tmp_path / "s.db").exists)

    def reports():
        with contextlib.suppress(mq.MaquetteError):
            return [t.steps for t in mq.Study.load("s", url).trials if t.state is State.RUNNING]
        return []

    wait_for(lambda: len(reports()) == 2 and all(len(steps) > 2 for steps in reports()))
    driver.kill()
    driver.wait()
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    history = mq.Study.load("s", url).history
    assert history.counts() == {"done": 4}
    assert [job.starts for job in history.jobs] == [1, 1, 1, 1]
    assert [list(t.steps) for t in history.trials] == 4 * [list(range(1, 21))]


def stop_at(step):
    def decide(job, report):
        return Decision(Action.STOP if report.step == step else Action.CONTINUE, reason="enough")

    return decide


def test_ranks_without_torch_get_the_same_answers(tmp_path):
    with contextlib.closing(opened(jobs.plain_ranks, tasks_per_node=2)) as executor:
        executor.start(task(tmp_path))
        outcome = finish(executor, stop_at(3))[0]
        assert outcome.state is State.STOPPED
        wait_for((tmp_path / "0" / "steps1").exists)
    assert [(tmp_path / "0" / f"steps{r}").read_text() for r in (0, 1)] == ["3", "3"]
    assert len(read_reports(tmp_path / "0")) == 3


@needs("torch")
@pytest.mark.slow
class TestRanks:
    def test_the_first_reports_and_all_stop_together(self, tmp_path):
        with contextlib.closing(opened(jobs.ranked, tasks_per_node=2)) as executor:
            executor.start(task(tmp_path, how="well"))
            outcome = finish(executor, stop_at(4))[0]
        folder = tmp_path / "0"
        assert (outcome.state, outcome.metrics) == (State.STOPPED, {"loss": 0.5})
        assert [r.metrics["loss"] for r in read_reports(folder)] == [1 / s for s in (1, 2, 3, 4)]
        shards = sorted(p.name for p in folder.glob("checkpoints/*4*/shard*"))
        assert shards == ["shard0", "shard1"]
        assert "rank 0 of 2" in (folder / "log.txt").read_text()
        assert "rank 1 of 2" in (folder / "log.rank1.txt").read_text()

    @pytest.mark.parametrize(
        ("how", "word"), [("raise", "rank 1: ValueError: rank one is down"), ("kill", "SIGKILL")]
    )
    def test_a_rank_that_fails_ends_the_job_once(self, tmp_path, how, word):
        with contextlib.closing(opened(jobs.ranked, tasks_per_node=2)) as executor:
            executor.start(task(tmp_path, how=how))
            outcome = finish(executor)[0]
            assert outcome.state is State.CRASHED
            assert word in outcome.message
            pids = [int((tmp_path / "0" / f"pid{r}").read_text()) for r in (0, 1)]
            assert jobs.gone(pids, 10.0) == []
            assert list(executor.poll(0.5, stop_at(0))) == []
