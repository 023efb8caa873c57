"""A driver that dies leaves jobs which go on without it; the next one takes them over."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field

import pytest

import maquette as mq
from maquette.events import Reported, Requeued, Started
from maquette.executor import Outcome, Task
from maquette.store.owner import new_owner
from maquette.study.driver import Settings
from maquette.trial import Decision, Report, State

SPACE = {"x": mq.Float(0.0, 1.0)}
STEPS = 6


@dataclass
class Job:
    task: Task
    steps: int = 0
    heard: int = 0
    gone: bool = False
    told: list[Decision] = field(default_factory=list)

    @property
    def done(self):
        return self.steps >= STEPS or any(not d for d in self.told)


class Cluster:
    """Where jobs run whether or not anybody listens: every tick they report once."""

    def __init__(self):
        self.jobs: dict[tuple[str, int, int], Job] = {}
        self.starts: list[int] = []

    def tick(self, times=1):
        for job in self.jobs.values():
            for _ in range(times):
                job.steps += not (job.done or job.gone)


class Death(BaseException):
    """The driver's process ends here."""


class ClusterExecutor:
    """Drives jobs of a cluster; `dies_after` so many reports."""

    def __init__(self, cluster, slots=2, dies_after=None):
        self.cluster, self.slots, self.left = cluster, slots, dies_after
        self.mine: dict[int, Job] = {}
        self.cancelled = []
        self.adopted = []

    def start(self, task):
        self.cluster.starts.append(task.job)
        self.mine[task.job] = self.cluster.jobs[_key(task)] = Job(task)

    def survivors(self, tasks):
        return {t.job for t in tasks if _key(t) in self.cluster.jobs}

    def adopt(self, task, reports):
        job = self.cluster.jobs[_key(task)]
        job.heard = reports
        self.mine[task.job] = job
        self.adopted.append((task.job, reports, task.token))

    def poll(self, timeout, on_report):
        self.cluster.tick()
        outcomes = []
        for number, job in list(self.mine.items()):
            while job.heard < job.steps and not job.gone:
                if self.left == 0:
                    raise Death
                self.left = self.left and self.left - 1
                job.heard += 1
                job.told.append(on_report(number, _report(job)))
            if job.gone or job.done:
                del self.mine[number], self.cluster.jobs[_key(job.task)]
                outcomes.append(_outcome(number, job))
        return outcomes

    def cancel(self, job):
        self.cancelled.append(job)
        self.mine.pop(job, None)

    def close(self):
        self.mine.clear()


def _key(task):
    return (task.study, task.job, task.attempt)


def _report(job):
    return Report(float(job.heard), {"loss": 1.0 / job.heard}, seconds=float(job.heard))


def _outcome(number, job):
    if job.gone:
        return Outcome(number, State.INTERRUPTED, message="its node went away", lost=True)
    stopped = any(not d for d in job.told)
    state = State.STOPPED if stopped else State.DONE
    return Outcome(number, state, {} if stopped else {"loss": 0.1}, seconds=float(STEPS))


@pytest.fixture(scope="module")
def dead():
    """The owner of a driver whose process has ended."""
    words = "from maquette.store import new_owner; print(new_owner())"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True)
    return done.stdout.decode().strip()


def study(tmp_path, name="s", **options):
    return mq.Study(
        name, SPACE, lambda t: 0.0, store=f"sqlite:///{tmp_path}/s.db", searcher="random", **options
    )


def drive(tmp_path, executor, owner, budget=2, retries=0, **options):
    this = study(tmp_path, **options)
    settings = Settings(mq.Budget(trials=budget), tmp_path / "trials", retries=retries)
    this.drive(executor, settings, owner, executor.slots, inline=False)
    return this


def events(this, kind):
    return [e.body for e in this.store.read(1) if isinstance(e.body, kind)]


def leave_running(tmp_path, dead, dies_after, **options):
    cluster = Cluster()
    with pytest.raises(Death):
        drive(tmp_path, ClusterExecutor(cluster, dies_after=dies_after), dead, **options)
    return cluster


@pytest.mark.parametrize("missed", [0, 1, STEPS])
def test_a_new_driver_adopts_what_runs_and_misses_no_report(missed, tmp_path, dead):
    cluster = leave_running(tmp_path, dead, 5)
    cluster.tick(missed)  # reports that nobody hears; in the end the outcome waits too
    executor = ClusterExecutor(cluster)
    this = drive(tmp_path, executor, new_owner())
    assert this.history.counts() == {"done": 2}
    assert cluster.starts == [0, 1]
    assert [(job, reports) for job, reports, _ in executor.adopted] == [(0, 3), (1, 2)]
    for trial in this.trials:
        assert trial.steps == [1, 2, 3, 4, 5, 6]
        assert trial.job.starts == 1
    steps = [(r.job, r.step) for r in events(this, Reported)]
    assert sorted(steps) == [(job, step) for job in (0, 1) for step in range(1, STEPS + 1)]
    assert [s.adopted for s in events(this, Started)] == [False, False, True, True]
    assert executor.cancelled == []


def test_adoption_is_no_retry(tmp_path, dead):
    cluster = leave_running(tmp_path, dead, 2)
    for _ in range(3):
        with pytest.raises(Death):
            drive(tmp_path, ClusterExecutor(cluster, dies_after=1), dead)
    this = drive(tmp_path, ClusterExecutor(cluster), new_owner())
    assert this.history.counts() == {"done": 2}
    assert cluster.starts == [0, 1]
    tokens = [s.token for s in events(this, Started) if s.job == 0]
    assert tokens == sorted(set(tokens))


def test_what_an_adopted_job_reported_unheard_is_decided_on(tmp_path, dead):
    options = {"scheduler": mq.schedule.ASHA(eta=2), "fidelity": {"steps": (1, STEPS)}}
    cluster = leave_running(tmp_path, dead, 1, **options)
    cluster.tick(2)
    this = drive(tmp_path, ClusterExecutor(cluster), new_owner(), **options)
    assert not this.history.pending
    assert all(job.starts == 1 for job in this.history.jobs)


def test_what_went_away_is_started_again(tmp_path, dead):
    cluster = leave_running(tmp_path, dead, 4)
    cluster.jobs = {key: job for key, job in cluster.jobs.items() if key[1] != 0}
    executor = ClusterExecutor(cluster)
    this = drive(tmp_path, executor, new_owner(), retries=1)
    assert this.history.counts() == {"done": 2}
    assert cluster.starts == [0, 1, 0]
    assert [job for job, _, _ in executor.adopted] == [1]
    assert [r.job for r in events(this, Requeued)] == [0]
    assert this.trials[0].steps == [1, 2, 3, 4, 5, 6]


def test_what_goes_away_under_a_driver_is_started_again_at_most_retries_times(tmp_path):
    cluster = Cluster()

    class Fragile(ClusterExecutor):
        def start(self, task):
            super().start(task)
            job = self.cluster.jobs[_key(task)]
            job.gone = task.job == 0 or (task.job == 1 and task.attempt == 1)

    executor = Fragile(cluster)
    this = drive(tmp_path, executor, new_owner(), retries=2)
    assert cluster.starts.count(0) == 3
    assert cluster.starts.count(1) == 2
    assert this.history.counts() == {"crashed": 1, "done": 1}
    assert this.trials[0].message == "lost 3 times: its node went away"
    assert [r.reason for r in events(this, Requeued)] == ["its node went away"] * 3


def test_jobs_of_another_study_are_not_taken(tmp_path, dead):
    cluster = leave_running(tmp_path, dead, 2)
    for path in tmp_path.glob("s.db*"):
        path.unlink()
    executor = ClusterExecutor(cluster)
    this = drive(tmp_path, executor, new_owner())  # the same name, in a new file
    assert executor.adopted == []
    assert this.history.counts() == {"done": 2}


def test_an_executor_that_cannot_adopt_starts_again(tmp_path, dead):
    leave_running(tmp_path, dead, 2)
    this = study(tmp_path)
    this.run(2, retries=1)
    assert this.history.counts() == {"done": 2}
    assert [s.adopted for s in events(this, Started)] == [False] * 4
