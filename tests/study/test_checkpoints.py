"""Checkpoints: whole or absent, here or in an object store; what jobs start from."""

import json
import os
import shutil
import signal

import pytest

import maquette as mq
from maquette.checkpoint import fetched, open_shelf, written
from maquette.checkpoint.manifest import NAME, Manifest
from maquette.errors import CheckpointError
from maquette.events import Started
from maquette.fidelity import Fidelity
from maquette.schedule.protocol import Done, Wait
from maquette.schedule.stretch import full
from maquette.trial import Job, State, Suggestion, checkpoint_address
from tests.study import programs
from tests.study.test_faults import driver, until

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MAQUETTE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "checkpoints"


@pytest.fixture(params=["path", "memory", "fsspec"])
def place(request, tmp_path):
    """A shelf in a folder, in an object store, and in one that other processes see too."""
    return {
        "path": str(tmp_path / "shelf"),
        "memory": f"memory://{tmp_path.name}/shelf",
        "fsspec": f"local://{tmp_path}/shelf",
    }[request.param]


def write(shelf, step, text="weights", job=0):
    with written(shelf, job, step, near=None) as folder:
        (folder / "deep").mkdir()
        (folder / "model.txt").write_text(text)
        (folder / "deep" / "state.txt").write_text(text * 2)


def read(place, step):
    return (fetched(f"{place}/{step}") / "model.txt").read_text()


def test_a_checkpoint_is_there_whole_or_not_at_all(place):
    shelf = open_shelf(place)
    assert shelf.steps() == []
    assert shelf.find(3) is None
    write(shelf, 3, job=7)
    write(shelf, 0.5)
    assert shelf.steps() == [0.5, 3]
    assert shelf.find(3).job == 7
    assert set(shelf.find(3).files) == {"model.txt", "deep/state.txt"}
    with pytest.raises(FileNotFoundError), written(shelf, 0, 9, near=None) as folder:
        (folder / "not" / "there").write_text("half")
    assert shelf.steps() == [0.5, 3]
    write(shelf, 3, "better", job=8)
    assert shelf.find(3).job == 8
    assert read(place, 3) == "better"
    shelf.remove(3)
    shelf.remove(4)
    assert shelf.steps() == [0.5]


def test_what_lacks_a_file_or_half_its_manifest_is_no_checkpoint(tmp_path):
    shelf = open_shelf(tmp_path)
    for step in (1, 2, 3):
        write(shelf, step)
    (tmp_path / "1" / "model.txt").unlink()
    (tmp_path / "2" / "deep" / "state.txt").write_text("cut")
    text = (tmp_path / "3" / NAME).read_text()
    (tmp_path / "3" / NAME).write_text(text[: len(text) // 2])
    assert [shelf.find(step) for step in (1, 2, 3)] == [None] * 3


def test_a_manifest_that_leads_out_of_its_folder_is_none():
    for name in ("../../etc/passwd", "/etc/passwd"):
        manifest = Manifest(0, 1.0, "v", {name: 3})
        assert Manifest.read(manifest.text()) is None
    assert Manifest.read(Manifest(0, 1.0, "../v", {}).text()) is None


def test_an_upload_that_ends_in_the_middle_leaves_nothing_to_see(tmp_path, monkeypatch, caplog):
    from maquette.checkpoint import remote

    monkeypatch.setattr(remote.time, "sleep", lambda _: None)
    place = f"memory://{tmp_path.name}/shelf"
    shelf = open_shelf(place)
    write(shelf, 1, "old")
    files = fsspec.filesystem("memory")
    put = type(files).put_file

    def fail(self, here, there, **options):
        if "state" in there:
            raise ConnectionError("the network is gone")
        return put(self, here, there, **options)

    monkeypatch.setattr(type(files), "put_file", fail)
    write(shelf, 1, "new")
    write(shelf, 2, "new")
    assert "the network is gone" in caplog.text
    monkeypatch.undo()
    assert read(place, 1) == "old"
    assert shelf.find(2) is None


def test_a_remote_checkpoint_is_fetched_once(tmp_path, cache):
    place = f"local://{tmp_path}/shelf"
    write(open_shelf(place), 1)
    assert read(place, 1) == "weights"
    shutil.rmtree(tmp_path / "shelf" / "1" / os.listdir(cache)[0])
    assert read(place, 1) == "weights"  # from the cache
    shutil.rmtree(tmp_path / "shelf")
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        fetched(f"{place}/1")


def test_a_url_that_nobody_knows_is_refused_before_anything_runs():
    study = mq.Study(
        "s", {"x": mq.Float(0.0, 1.0)}, programs.quadratic, checkpoints="nosuch://bucket/runs"
    )
    with pytest.raises(CheckpointError, match="cannot be kept at nosuch"):
        study.run(3)
    assert study.trials == []
    with pytest.raises(CheckpointError, match="keep"):
        mq.Checkpoints(keep=0)


# --- what jobs start from -----------------------------------------------------------------


class Family:
    """Three parents, then a fork of the first, a soup of all three, a child distilled from two."""

    def next(self, history, searcher, n, rng):
        ended = [t.number for t in history.trials if t.ended is not None]
        if len(history.trials) < 3:
            new = searcher.suggest(history, Fidelity(full(history)), 3, rng)
            return [Job(s, Fidelity(full(history))) for s in new]
        if len(ended) < 3:
            return Wait("parents")
        if len(history.trials) > 3:
            return Done()
        config = dict(history.trials[0].config)
        at = Fidelity(full(history))
        return [
            Job(Suggestion(config), at, first_step=2, start=(checkpoint_address(0, 2),)),
            Job(Suggestion(config), at, start=tuple(checkpoint_address(i, 3) for i in range(3))),
            Job(Suggestion(config), at, start=(checkpoint_address(1), checkpoint_address(2, 3))),
        ]

    def decide(self, history, trial):
        return ()


def family(tmp_path, checkpoints=None, fn=programs.inherits, **options):
    return mq.Study(
        "family",
        {"x": mq.Float(0.0, 1.0)},
        fn,
        store=f"sqlite:///{tmp_path}/s.db",
        searcher="random",
        scheduler=Family(),
        fidelity={"steps": (1, 4)},
        checkpoints=checkpoints,
    )


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("executor", ["inline", "process"])
def test_forks_soups_and_distillation_start_from_what_their_parents_wrote(
    tmp_path, remote, executor
):
    where = f"local://{tmp_path}/bucket" if remote else None
    study = family(tmp_path, mq.Checkpoints(where, keep=None))
    study.run(6, executor=executor)
    fork, soup, student = study.trials[3:]
    assert all(t.state is State.DONE for t in study.trials), [t.message for t in study.trials]
    weights = [float(t.number + 1) for t in study.trials[:3]]
    assert fork.metrics["inherited"] == weights[0] * 10 + 2
    assert soup.metrics["inherited"] == sum(w * 10 + 3 for w in weights)
    assert student.metrics["inherited"] == sum(w * 10 + 3 for w in weights[1:])
    assert fork.metrics["first"] == 2
    assert not any(j.note for t in study.trials[:5] for j in t.jobs)
    assert (tmp_path / "bucket" / "family" / "000000" / "checkpoints" / "3").is_dir() is remote


def test_a_soup_goes_on_without_the_parent_that_vanished_and_says_so(tmp_path):
    study = family(tmp_path, mq.Checkpoints(keep=None))
    study.run(3)
    trials = tmp_path / "s.trials" / "family"
    shutil.rmtree(trials / "000001" / "checkpoints")
    shutil.rmtree(trials / "000000" / "checkpoints" / "2")
    study.run(6)
    fork, soup, student = study.trials[3:]
    assert all(t.state is State.DONE for t in study.trials)
    assert fork.metrics["inherited"] == 11
    assert fork.job.first_step == 1
    assert "1 takes its place" in fork.job.note
    assert soup.job.start == ("000000/checkpoints/3", "000002/checkpoints/3")
    assert soup.job.note == "000001/checkpoints/3 is gone"
    assert student.metrics["inherited"] == 33
    shutil.rmtree(trials)
    assert "gone" in look_note(study)


def look_note(study):
    started = [e.body for e in study.store.read(study._id) if isinstance(e.body, Started)]
    return json.dumps([s.note for s in started])


@pytest.mark.parametrize("remote", [False, True])
def test_a_killed_job_goes_on_from_its_newest_whole_checkpoint(tmp_path, remote):
    url = f"sqlite:///{tmp_path}/s.db"
    bucket = f"local://{tmp_path}/bucket"
    extra = {"MAQUETTE_TEST_PIDS": str(tmp_path), "MAQUETTE_CACHE": str(tmp_path / "cache")}
    if remote:
        extra["MAQUETTE_CHECKPOINTS"] = bucket
    with driver(url, "saves_and_hangs", 1, workers=1, **extra) as process:
        until((tmp_path / "hangs").exists)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    study = mq.Study(
        "s",
        {"x": mq.Float(0.0, 1.0)},
        programs.says_start,
        store=url,
        searcher="random",
        checkpoints=bucket if remote else None,
    )
    study.run(1)
    trial = study.trials[0]
    assert trial.state is State.DONE
    assert (trial.metrics["first"], trial.metrics["loss"]) == (5.0, 5.0)
    assert trial.job.note == "goes on from its checkpoint at 5"


def test_a_job_whose_checkpoints_vanished_starts_from_the_beginning_and_is_no_crash_loop(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    with driver(url, "saves_and_hangs", 1, workers=1, MAQUETTE_TEST_PIDS=str(tmp_path)) as process:
        until((tmp_path / "hangs").exists)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    shutil.rmtree(tmp_path / "s.trials")
    study = mq.Study(
        "s", {"x": mq.Float(0.0, 1.0)}, programs.says_start, store=url, searcher="random"
    )
    study.run(1)
    assert study.trials[0].state is State.DONE
    assert study.trials[0].metrics["first"] == 0.0
    assert study.trials[0].job.starts == 2


@pytest.mark.parametrize("remote", [False, True])
def test_a_trial_keeps_its_newest_checkpoints_and_those_that_others_start_from(tmp_path, remote):
    where = f"local://{tmp_path}/bucket" if remote else None
    study = family(tmp_path, mq.Checkpoints(where, keep=2))
    study.run(3)
    root = tmp_path / ("bucket" if remote else "s.trials") / "family" / "000000" / "checkpoints"
    assert sorted(p.name for p in root.iterdir() if (p / NAME).is_file()) == ["2", "3"]
    assert [p.name for p in root.iterdir() if p.name.startswith(".")] == []


def test_what_waits_to_start_from_a_checkpoint_keeps_it():
    from maquette.history import History
    from maquette.study.keeper import _referred
    from maquette.testing.problems import NESTED, problem
    from maquette.testing.script import Script

    script = Script(problem(NESTED))
    script.try_config(NESTED.defaults(), loss=1.0)
    start = (checkpoint_address(0, 9), checkpoint_address(1, 4), checkpoint_address(0))
    job = script.propose(Job(Suggestion(NESTED.defaults()), start=start), start=False)
    assert 9.0 in set(_referred(script.history, 0))
    assert 4.0 not in set(_referred(script.history, 0))
    script.write(Started(1, job, "me", 1))
    script.end(job, 1.0)
    assert list(_referred(History(script.problem, script.events), 0)) == []
