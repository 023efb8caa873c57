"""The same seed and the same order of results: the same proposals, wherever and however it runs."""

from __future__ import annotations

import pytest

import maquette as mq
from maquette.events import Proposed
from maquette.history import History
from maquette.study.parts import methods
from maquette.study.spec import from_spec
from tests.store.conftest import postgres_url

__all__ = ["postgres_url"]

SPACE = {
    "x": mq.Float(1e-3, 1.0, log=True),
    "n": mq.Int(1, 20),
    "kind": mq.Choice(["a", "b"]),
    "y": mq.Float(0, 1, when={"kind": "b"}),
}
STEPS = {"fidelity": {"steps": (1, 9)}}
METHODS = {
    "random": ({"searcher": "random"}, 16),
    "sobol": ({"searcher": "sobol"}, 16),
    "gp": ({"searcher": mq.search.GP(initial=4)}, 9),
    "asha": ({"searcher": "random", "scheduler": mq.schedule.ASHA(), **STEPS}, 24),
    "promote": (
        {"searcher": "sobol", "scheduler": mq.schedule.ASHA(mode="promote"), **STEPS},
        30,
    ),
}


def opened(method, store):
    return mq.Study("s", SPACE, store=store, seed=11, **METHODS[method][0])


def work(study, trial):
    """Run a job as far as it may go; return what to tell."""
    level = (trial["x"] - 0.1) ** 2 + 0.05 * trial["n"] + trial.config.get("y", 0.3)
    for step in range(trial.first_step + 1, int(trial.until.get("steps", 0)) + 1):
        if not trial.report(step, loss=level + 1 / step):
            return {"state": "stopped"}
    if trial.number % 7 == 5:
        return {"state": "oom"}
    return {"result": level}


def play(method, drivers):
    """Ask and tell in turn, two trials at a time; `drivers(i)` is who acts in turn i."""
    waiting = []
    for i in range(METHODS[method][1]):
        waiting.append(drivers(i).ask())
        if len(waiting) > 1:
            study, trial = drivers(i + 1), waiting.pop(0)
            study.tell(trial.number, seconds=1.0, **work(study, trial))


def proposals(study):
    return [
        (job.trial, dict(study.trials[job.trial].config), dict(job.fidelity.until), job.first_step)
        for job in study.history.jobs
    ]


@pytest.fixture(scope="module")
def expected():
    """What one process in memory proposes, by method."""
    found = {}

    def of(method):
        if method not in found:
            study = opened(method, None)
            play(method, lambda i: study)
            found[method] = proposals(study)
        return found[method]

    return of


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/s.db"
    return request.getfixturevalue("postgres_url")


@pytest.mark.parametrize("how", ["alone", "resumed", "interleaved"])
@pytest.mark.parametrize("method", METHODS)
def test_proposals_do_not_depend_on_where_and_how(method, how, url, expected):
    left = []
    studies = [opened(method, url) for _ in range({"interleaved": 3}.get(how, 1))]

    def driver(i):
        if how == "resumed" and i % 3 == 0:
            left.append(studies.pop())  # trials that it asked for still report through it
            studies.append(opened(method, url))
        return studies[i % len(studies)]

    play(method, driver)
    assert proposals(studies[0]) == expected(method)
    assert len({str(p) for p in proposals(studies[0])}) == METHODS[method][1]
    for study in (*studies, *left):
        study.store.close()


@pytest.mark.parametrize("method", METHODS)
def test_recorded_events_replayed_through_cold_methods_give_every_proposal(method, tmp_path):
    study = opened(method, tmp_path / "s.db")
    play(method, lambda i: study)
    row = study.store.find("s")
    events = study.store.read(row.id)
    given = METHODS[method][0]
    checked = 0
    for event in events:
        body = event.body
        if not isinstance(body, Proposed):
            continue
        searcher, scheduler = methods(given["searcher"], given.get("scheduler", "full"))
        history = History(from_spec(row.spec), events[: body.basis])
        (job,) = scheduler.next(history, searcher, 1, history.rng())
        assert dict(job.fidelity.until) == body.until
        assert job.first_step == body.first_step
        if body.config is not None:
            assert dict(job.suggestion.config) == body.config
        else:
            assert job.trial == body.trial
        checked += 1
    assert checked == METHODS[method][1]
    study.store.close()
