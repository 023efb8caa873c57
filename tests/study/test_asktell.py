"""Ask and tell, in memory and on disk."""

import math

import pytest

import maquette as mq
from maquette.errors import ObjectiveError, SpaceError, StoreError, StudyError
from maquette.events import Requeued
from maquette.rng import derived_seed

SPACE = {"x": mq.Float(0.0, 1.0), "kind": mq.Choice(["a", "b"])}


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    return None if request.param == "memory" else f"sqlite:///{tmp_path}/s.db"


def study(store=None, **options):
    return mq.Study("s", SPACE, store=store, searcher="random", **options)


def test_ask_gives_configs_of_the_space_and_tell_ends_them(store):
    s = study(store)
    for i in range(5):
        trial = s.ask()
        s.space.check(trial.config)
        assert trial.number == i
        s.tell(trial, trial["x"])
    assert s.history.counts() == {"done": 5}
    best = s.best()
    assert best.observed == min(t.loss for t in s.trials)
    assert best.interval[0] <= best.value <= best.interval[1]


def test_ask_for_a_batch_gives_distinct_trials(store):
    trials = study(store).ask(4)
    assert [t.number for t in trials] == [0, 1, 2, 3]
    assert len({t["x"] for t in trials}) == 4
    assert len({t.seed for t in trials}) == 4


def test_results_may_be_mappings_and_states(store):
    s = study(store)
    a, b, c, d = s.ask(4)
    s.tell(a, {"loss": 0.3, "seconds": 12.0})
    s.tell(b, state="oom")
    s.tell(c, float("nan"))
    s.tell(d.number, 0.5, cost=7.0)
    assert s.history.counts() == {"done": 2, "oom": 1, "diverged": 1}
    assert s.trials[0].seconds == 12.0
    assert s.trials[3].cost == 7.0
    assert all(math.isnan(s.trials[i].loss) for i in (1, 2))


def test_a_maximised_metric_is_reported_in_its_own_sign(store):
    s = study(store, objective="max:accuracy")
    for value in (0.2, 0.9, 0.4):
        s.tell(s.ask(), {"accuracy": value})
    assert s.best().observed == 0.9


def test_a_config_that_nobody_asked_for_is_evidence(store):
    s = study(store)
    s.tell({"x": 0.25, "kind": "a"}, 0.1)
    assert s.trials[0].origin == "told"
    assert s.best().config == {"x": 0.25, "kind": "a"}
    assert s.ask().number == 1


@pytest.mark.parametrize(("result", "seconds"), [(0.1, 7.0), ({"loss": 0.1, "seconds": 7}, None)])
def test_the_seconds_of_a_told_config_count(store, result, seconds):
    s = study(store)
    s.tell({"x": 0.25, "kind": "a"}, result, seconds=seconds)
    assert s.history.seconds == 7.0


def test_mistakes_are_named_and_change_nothing(store):
    s = study(store)
    trial = s.ask()
    with pytest.raises(ObjectiveError, match="no metric 'loss'"):
        s.tell(trial, {"los": 0.1})
    with pytest.raises(ObjectiveError, match="not a number"):
        s.tell(trial, "0.1")
    with pytest.raises(StudyError, match="Did you mean 'crashed'"):
        s.tell(trial, state="crash")
    with pytest.raises(StudyError, match="needs a result"):
        s.tell(trial, state="done")
    with pytest.raises(StudyError, match="no trial 7"):
        s.tell(7, 0.1)
    with pytest.raises(SpaceError, match="kind"):
        s.tell({"x": 0.5, "kind": "c"}, 0.1)
    assert s.history.counts() == {"running": 1}
    s.tell(trial, 0.1)
    with pytest.raises(StudyError, match="told once"):
        s.tell(trial, 0.2)
    assert s.trials[0].loss == 0.1


def test_best_without_results_says_what_became_of_the_trials():
    s = study()
    s.tell(s.ask(), state="crashed")
    with pytest.raises(StudyError, match="1 crashed"):
        s.best()


def test_reports_reach_the_scheduler_and_its_decision_comes_back():
    s = study(scheduler=mq.schedule.ASHA(eta=2), fidelity={"steps": (1, 4)})
    trials = s.ask(4)
    kept = []
    for i, trial in enumerate(trials):
        decision = trial.report(1, loss=float(i))
        kept.append(bool(decision))
    assert kept[0] is True
    assert kept[-1] is False


def test_the_same_seed_gives_the_same_trials(store):
    def configs(where):
        s = study(where, seed=7)
        rows = []
        for _ in range(6):
            trial = s.ask()
            rows.append(trial.config)
            s.tell(trial, trial["x"])
        return rows

    assert configs(store) == configs(None)


def test_a_wrong_study_is_refused_with_every_mistake_of_its_part():
    with pytest.raises(StudyError, match="name"):
        mq.Study("", SPACE)
    with pytest.raises(StudyError, match="seed"):
        mq.Study("s", SPACE, seed=-1)
    with pytest.raises(StudyError, match="fn"):
        mq.Study("s", SPACE, fn=3)
    with pytest.raises(mq.MaquetteError, match="Did you mean 'random'"):
        mq.Study("s", SPACE, searcher="randm")
    with pytest.raises(mq.MaquetteError, match="full"):
        mq.Study("s", SPACE, scheduler="ful")


def test_resuming_goes_on_where_the_study_stood(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    first = study(url)
    for _ in range(3):
        first.tell(first.ask(), 1.0)
    again = study(url)
    assert len(again.trials) == 3
    assert again.ask().number == 3


def test_another_question_under_the_same_name_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    study(url)
    with pytest.raises(StudyError, match="objective differs"):
        study(url, objective="max:accuracy")
    with pytest.raises(StudyError, match="seed differs"):
        study(url, seed=5)


def test_a_wider_space_grows_the_study_and_a_narrower_one_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    s = study(url)
    s.tell(s.ask(), 1.0)
    wider = {**SPACE, "x": mq.Float(-1.0, 2.0), "y": mq.Float(0.0, 1.0, default=0.5)}
    grown = mq.Study("s", wider, store=url, searcher="random")
    assert grown.trials[0].config["y"] == 0.5
    assert "y" in grown.ask().config
    with pytest.raises(StudyError, match="narrower"):
        mq.Study("s", {**wider, "x": mq.Float(0.4, 0.6)}, store=url, searcher="random")
    with pytest.raises(StudyError, match="kind: removed, but it has no default"):
        mq.Study("s", {"x": mq.Float(0.4, 0.6)}, store=url, searcher="random")


@pytest.mark.parametrize("spent", [{"seconds": "long"}, {"seconds": math.nan}, {"cost": -1.0}])
def test_a_cost_that_is_none_is_refused_before_it_is_written(store, spent):
    s = study(store)
    trial = s.ask()
    with pytest.raises(StudyError, match="zero or more"):
        s.tell(trial, 0.1, **spent)
    with pytest.raises(ObjectiveError, match="cost"):
        trial.report(1, loss=0.3, cost="dear")
    s.tell(trial, 0.1)
    assert study(store).history.counts() == ({"done": 1} if store else {})


def test_what_is_no_store_is_refused():
    with pytest.raises(StoreError, match="a store is a URL, a file"):
        mq.Study("s", SPACE, store=3)


def test_a_batch_over_a_scale_is_as_large_as_was_asked_for():
    scale = mq.Scale([{"width": 8}, {"width": 64}], width=(8, 512))
    study = mq.Study("s", {"x": mq.Float(0, 1)}, scale=scale, searcher="random")
    batch = study.ask(5)
    assert [t.number for t in batch] == [0, 1, 2, 3, 4]
    assert len({t.scale["width"] for t in batch}) == 2


def test_what_became_of_a_trial_elsewhere_is_found_out_when_it_is_told(tmp_path):
    here = study(tmp_path / "s.db")
    ended, again, named = here.ask(3)
    there = study(tmp_path / "s.db")
    there.tell(ended.number, 1.0)
    token = there.history.jobs[again.job].token
    there.store.record(1, {again.job: token}, [Requeued(again.number, again.job, "lost")])
    with pytest.raises(StudyError, match="trial 0 has ended"):
        here.tell(ended, 2.0)
    here.tell(again, 3.0)  # nobody has taken it again
    there.tell(named.number, 4.0)
    assert [t.loss for t in here.trials] == [1.0, 3.0, 4.0]
    assert [j.starts for j in here.history.jobs] == [1, 2, 1]


def test_a_batch_is_told_before_anybody_looks(store):
    s = study(store)
    for _ in range(2):
        for trial in s.ask(30):
            assert trial.seed == derived_seed(0, trial.number)
            s.tell(trial, float(trial.number), seconds=1.0)
    assert s.history.finished.loss.tolist() == [float(n) for n in range(60)]
    assert [trial.job.starts for trial in s.trials] == [1] * 60
    assert s.history.seconds == 60.0
