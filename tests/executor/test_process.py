"""Jobs in processes of their own: real processes, real signals."""

import contextlib
import os
import signal
import subprocess
import time

import numpy as np
import pytest

from maquette.errors import ExecutorError
from maquette.executor import Process, open_executor, strays
from maquette.executor.memory import parse_size
from maquette.executor.oom import oom_kills
from maquette.testing.executors import finish, go_on, task
from maquette.trial import State
from tests.executor import jobs
from tests.services import needs

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc")


@contextlib.contextmanager
def opened(fn, workers=2, **options):
    options.setdefault("grace", 0.5)
    with contextlib.closing(open_executor(Process(**options), fn, workers)) as executor:
        yield executor


def run(fn, what, **options):
    with opened(fn, **options) as executor:
        executor.start(what)
        return finish(executor)[0]


# --- what a job may have -----------------------------------------------------------------------


@pytest.mark.parametrize("where", ["here", "below"])
def test_a_job_that_holds_more_memory_than_it_may_is_out_of_memory(where, tmp_path):
    with opened(jobs.hoards, memory="300 MiB") as executor:
        for job, (mb, state) in enumerate(((400, State.OOM), (100, State.DONE))):
            executor.start(task(tmp_path, job, mb=mb, where=where))
            outcome = finish(executor)[0]
            assert outcome.state is state
            assert ("of memory" in outcome.message) == (state is State.OOM)


def test_gpus_are_shared_out_among_jobs(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4,5,6,7")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with opened(jobs.sees_gpus, workers=8, gpus=2) as executor:
        assert executor.slots == 2
        for wave in range(2):
            (tmp_path / str(wave)).mkdir()
            for job in range(2):
                executor.start(task(tmp_path / str(wave), job))
            seen = [dict(outcome.metrics) for outcome in finish(executor, n=2)]
            assert sorted(s["loss"] for s in seen) == [3.0, 5.0]
            assert {s["n"] for s in seen} == {2.0}


def test_more_gpus_than_there_are_is_an_error(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(ExecutorError, match="2 GPUs are asked for each job, and 1 are visible"):
        open_executor(Process(gpus=2), jobs.draws)


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GB", 8 * 10**9), ("512 MiB", 512 << 20), ("1.5g", 15 * 10**8), (4096, 4096), ("2T", 2e12)],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "8 apples", "-1", 0, True, "1.2.3GB", float("nan")])
def test_what_is_no_size_is_none(text):
    assert parse_size(text) is None


# --- how a process ends ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("exit", "exit code 3"),
        ("SIGKILL", "killed by the system (SIGKILL); most likely out of memory"),
        ("SIGSEGV", "killed by SIGSEGV"),
        ("SIGTERM", "killed by SIGTERM"),
        ("SIGINT", "KeyboardInterrupt"),
    ],
)
def test_a_process_that_dies_is_a_crash_with_its_last_words(how, words, tmp_path):
    with opened(jobs.dies) as executor:
        executor.start(task(tmp_path, how=how))
        outcome = finish(executor)[0]
        assert outcome.state is State.CRASHED
        assert words in outcome.message
        if how != "SIGINT":
            assert "last words" in outcome.message
        executor.start(task(tmp_path, 1, how="exit"))  # and the next job runs
        assert finish(executor)[0].job == 1


def test_memory_that_runs_out_is_oom(tmp_path):
    outcome = run(jobs.allocates, task(tmp_path))
    assert outcome.state is State.OOM
    assert "Unable to allocate" in outcome.message


def test_the_kernels_counter_is_evidence_of_oom(tmp_path, monkeypatch):
    group = tmp_path / "memory" / "job"
    group.mkdir(parents=True)
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    unified = tmp_path / "user.slice"
    unified.mkdir()
    (unified / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\n")
    listing = tmp_path / "cgroup"
    monkeypatch.setattr("maquette.executor.oom._ROOT", tmp_path)
    monkeypatch.setattr("maquette.executor.oom._LISTING", listing)
    listing.write_text("5:cpu:/job\n4:memory:/job\n")
    assert oom_kills() == 4
    listing.write_text("0::/user.slice\n")
    assert oom_kills() == 2
    listing.write_text("0::/elsewhere\n")
    assert oom_kills() is None


@pytest.mark.parametrize("fn", [jobs.pids, jobs.stubborn, jobs.holds_the_interpreter])
def test_a_job_that_hangs_is_ended_at_its_timeout(fn, tmp_path):
    began = time.monotonic()
    outcome = run(fn, task(tmp_path, timeout=1.0, x=600.0))
    assert outcome.state is State.TIMEOUT
    assert outcome.message.startswith("took longer than 1 s")
    assert 1.0 <= outcome.seconds < time.monotonic() - began < 60.0


def test_a_job_that_returned_is_done_though_its_process_stays(tmp_path):
    outcome = run(jobs.leaves, task(tmp_path))
    assert (outcome.state, outcome.metrics) == (State.DONE, {"loss": 0.25})


# --- nothing is left behind --------------------------------------------------------------------


@pytest.mark.parametrize("fn", [jobs.pids, jobs.stubborn])
def test_cancel_ends_a_job_and_what_it_started(fn, tmp_path):
    with opened(fn) as executor:
        executor.start(task(tmp_path, x=600.0))
        found = jobs.noted(tmp_path / "0")
        executor.cancel(0)
        executor.start(task(tmp_path, 1, x=0.0))  # its slot is free at once
        ends = finish(executor, n=2)
        assert [o.state for o in ends] == [State.INTERRUPTED, State.DONE]
        assert jobs.gone([found["job"], found["child"]], 30.0) == []


def test_what_a_job_started_ends_with_it(tmp_path):
    with opened(jobs.pids) as executor:
        executor.start(task(tmp_path, x=0.0))
        assert finish(executor)[0].state is State.DONE
        assert jobs.gone([jobs.noted(tmp_path / "0")["child"]], 30.0) == []


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("fn", [jobs.pids, jobs.stubborn])
def test_close_leaves_no_process(fn, fresh, tmp_path):
    executor = open_executor(Process(grace=0.5, fresh=fresh), fn, 2)
    for job in range(2):
        executor.start(task(tmp_path, job, x=600.0))
    found = [jobs.noted(tmp_path / str(job)) for job in range(2)]
    began = time.monotonic()
    executor.close()
    assert time.monotonic() - began < 30.0
    numbers = [f[key] for f in found for key in ("job", "server", "child")]
    assert jobs.gone(numbers, 30.0) == []


def test_a_job_has_a_session_of_its_own(tmp_path):
    with opened(jobs.pids) as executor:
        executor.start(task(tmp_path, x=0.0))
        finish(executor)
    found = jobs.noted(tmp_path / "0")
    assert found["sid"] == found["job"] != os.getsid(0)


@pytest.mark.parametrize("end", ["by itself", "cancelled", "killed", "server", "closed"])
def test_what_a_job_leaves_in_a_session_of_its_own_ends_with_it(end, tmp_path):
    with opened(jobs.daemon) as executor:
        executor.start(task(tmp_path, x=0.0 if end == "by itself" else 600.0))
        found = jobs.noted(tmp_path / "0")
        if end == "cancelled":
            executor.cancel(0)
        elif end in ("killed", "server"):
            os.kill(found["job" if end == "killed" else "server"], signal.SIGKILL)
        if end != "closed":
            finish(executor)
            assert jobs.gone([found["child"]], 30.0) == []
    assert jobs.gone(list(found.values()), 30.0) == []


def test_a_server_that_dies_takes_its_jobs_along_and_is_replaced(tmp_path):
    with opened(jobs.pids) as executor:
        executor.start(task(tmp_path, x=600.0))
        found = jobs.noted(tmp_path / "0")
        os.kill(found["server"], signal.SIGKILL)
        outcome = finish(executor)[0]
        assert outcome.lost
        assert "server" in outcome.message
        assert "SIGKILL" in outcome.message
        assert jobs.gone([found["job"], found["child"]], 30.0) == []
        assert list(executor.poll(0.05, go_on)) == []
        executor.start(task(tmp_path, 1, x=0.0))
        assert finish(executor)[0].state is State.DONE


def test_jobs_leave_no_descriptor_open(tmp_path):
    with opened(jobs.descriptors) as executor:
        counts, ours = [], []
        for job in range(12):
            executor.start(task(tmp_path, job))
            counts.append(finish(executor)[0].metrics["loss"])
            ours.append(len(os.listdir("/proc/self/fd")))
        assert len(set(counts)) == 1
        assert len(set(ours)) == 1


# --- what a job finds --------------------------------------------------------------------------


def test_output_is_kept_in_the_folder_and_capped(tmp_path):
    with opened(jobs.prints) as executor:
        executor.start(task(tmp_path, 0, bytes=0))
        executor.start(task(tmp_path, 1, bytes=60_000_000))
        assert [o.state for o in finish(executor, n=2)] == [State.DONE, State.DONE]
        short = (tmp_path / "0" / "log.txt").read_text()
        assert short == "the first line: größe\nfrom a subprocess\nthe last line\n"
        long = tmp_path / "1" / "log.txt"
        assert 10_000_000 <= long.stat().st_size < 10_000_200
        text = long.read_text()
        assert text.startswith("the first line")
        assert text.endswith("from a subprocess\nthe last line\n")
        assert "bytes left out here" in text
        executor.start(task(tmp_path, 0, bytes=0))  # the same trial goes on
        finish(executor)
        assert (tmp_path / "0" / "log.txt").read_text() == f"{short}\n--- job 0 ---\n{short}"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_costs_the_log_and_not_the_result(tmp_path):
    folder = tmp_path / "0"
    folder.mkdir()
    (folder / "log.txt").symlink_to("/dev/full")
    (folder / "reports.jsonl").symlink_to("/dev/full")
    from maquette.testing.executor_jobs import curve

    steps = []
    with opened(curve) as executor:
        executor.start(task(tmp_path, x=1.0))

        def listen(job, report):
            steps.append(report.step)
            return go_on(job, report)

        assert finish(executor, listen)[0].metrics == {"loss": 0.2}
    assert steps == [1, 2, 3, 4, 5]


def test_jobs_run_at_once(tmp_path):
    with opened(jobs.meets) as executor:
        for job in range(2):
            executor.start(task(tmp_path, job))
        assert [o.metrics["loss"] for o in finish(executor, n=2)] == [0.0, 0.0]


def test_a_job_may_start_processes_of_its_own(tmp_path):
    assert run(jobs.pools, task(tmp_path, timeout=60.0)).metrics == {"loss": 28.0}


def test_a_job_has_one_thread_and_no_input(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert run(jobs.environment, task(tmp_path)).metrics == {"loss": 1.0, "no_input": 1.0}
    outcome = run(jobs.environment, task(tmp_path, 1), threads=3)
    assert outcome.metrics["loss"] == 3.0
    outcome = run(jobs.environment, task(tmp_path, 2), threads=None)
    assert outcome.metrics["loss"] == 7.0


@needs("torch")
@pytest.mark.slow
def test_torch_has_one_thread(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert run(jobs.torch_threads, task(tmp_path)).metrics == {"loss": 1.0}


def test_forked_jobs_draw_their_own_random_numbers(tmp_path):
    from dataclasses import replace

    with opened(jobs.draws) as executor:
        drawn = []
        for job, seed in enumerate((5, 6, 5)):
            executor.start(replace(task(tmp_path, job), seed=seed))
            drawn.append(finish(executor)[0].metrics)
    assert drawn[0] == drawn[2]
    assert drawn[0]["loss"] != drawn[1]["loss"]
    assert drawn[0]["python"] != drawn[1]["python"]
    np.random.seed(5)
    assert drawn[0]["loss"] == np.random.random()


def test_bad_options_are_refused():
    with pytest.raises(ExecutorError, match="Did you mean 'process'"):
        open_executor("proces", jobs.draws)
    with pytest.raises(ExecutorError, match="2 problems"):
        open_executor("slrm", jobs.draws, workers=0)
    with pytest.raises(ExecutorError, match="4 problems"):
        Process(threads=0, grace=-1.0, memory="much", gpus=-1)
    with pytest.raises(ExecutorError, match=r"mq\.executor\.Process"):
        open_executor(Process, jobs.draws)


def test_what_a_killed_server_has_not_swept_ends_when_its_driver_closes(tmp_path):
    """No job runs any more, so nobody looks whether the server is there."""
    with opened(jobs.daemon) as executor:
        executor.start(task(tmp_path, 0, x=0.5))
        assert finish(executor)[0].state is State.DONE
        note = jobs.noted(tmp_path / "0")
        assert jobs.alive(note["child"])
        os.kill(note["server"], signal.SIGKILL)
    assert jobs.gone([note["child"]], 2) == []


def test_killing_by_mark_goes_on_until_nothing_bears_it(monkeypatch):
    """A process that began while the others were looked through is found the next time."""
    marked = os.environ | {strays.MARK: "test-of-two-rounds"}
    first, second = (subprocess.Popen(["sleep", "60"], env=marked) for _ in range(2))
    listed, rounds = os.listdir, []

    def listing(place):
        rounds.append(place)
        return [e for e in listed(place) if len(rounds) > 1 or e != str(second.pid)]

    monkeypatch.setattr(strays.os, "listdir", listing)
    strays.kill_marked("test-of-two-rounds")
    assert [p.wait(5) for p in (first, second)] == [-signal.SIGKILL] * 2
