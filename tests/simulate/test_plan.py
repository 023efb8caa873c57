"""Plans: what a run would do and cost, without running it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import maquette as mq
from maquette.errors import StudyError
from maquette.simulate import Clock, End, simulate, stretch, virtual_store
from maquette.simulate.costs import fit, law
from maquette.store import MemoryStore
from maquette.trial import Report

SPACE = {"x": mq.Float(0.0, 1.0), "n": mq.Int(1, 9)}
SCALE = mq.Scale([{"width": 8}, {"width": 16}], width=(8, 64))


def study(store, **options) -> mq.Study:
    given = {"searcher": "random", "scheduler": "asha", "fidelity": {"steps": (1, 27)}, **options}
    return mq.Study("p", SPACE, store=store, scale=SCALE, seed=3, **given)


def replay(trial):
    """A step takes width / 8 seconds, give or take a tenth."""
    rng = np.random.default_rng([trial.number, 5])
    each = trial.scale["width"] / 8 * float(np.exp(0.1 * rng.standard_normal()))
    curve = (Report(s, {"loss": trial["x"] + 1 / s}, None, each * s) for s in range(1, 28))
    return stretch(curve, trial)


def test_before_the_first_trial_the_cost_is_unknown_and_the_work_is_not() -> None:
    plan = study(None).plan(40, workers=2)
    assert plan.seconds is plan.cost is plan.wall is None
    assert plan.trials is not None
    assert plan.trials.mean == 40
    assert plan.full_runs is not None
    assert 1 < plan.full_runs.mean < 40
    assert "unknown before the first trial" in str(plan)
    assert plan.executor == "process"


def test_a_budget_of_seconds_tells_nothing_before_the_first_trial() -> None:
    plan = study(None).plan(mq.Budget(seconds=60))
    assert plan.trials is plan.jobs is None
    assert len(plan.proposals) == 1
    assert "unknown" in str(plan)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["full", mq.schedule.ASHA(mode="promote")], ids=repr)
def test_what_is_planned_is_what_then_happens(scheduler, monkeypatch) -> None:
    """The interval is of 90 %, so of 5 runs two may leave it."""
    monkeypatch.setattr(sys.modules["maquette.simulate.plan"], "_MOST", 16)  # simulations a plan
    inside = 0
    for seed in range(5):
        kept = mq.Study(
            "p",
            SPACE,
            store=virtual_store(),
            scale=SCALE,
            seed=seed,
            searcher="random",
            scheduler=scheduler,
            fidelity={"steps": (1, 27)},
        )
        simulate(kept, replay, 12, workers=3)
        plan = kept.plan(40, workers=3)
        began, seconds = kept.store.clock(), kept.history.seconds
        done = simulate(kept, replay, 40, workers=3)
        assert plan.seconds is not None
        assert plan.wall is not None
        assert plan.trials is not None
        assert plan.trials.mean == 28
        low, high = plan.seconds.interval
        inside += low <= kept.history.seconds - seconds <= high
        assert plan.wall.mean == pytest.approx(done.seconds - began, rel=0.4)
        assert len(plan.proposals) == 3
        firsts = [kept.trials[p.trial] for p in plan.proposals]
        assert [dict(p.config) for p in plan.proposals] == [dict(t.config) for t in firsts]
    assert inside >= 3


def test_a_budget_of_seconds_is_kept_by_the_plan() -> None:
    kept = study(virtual_store(), scheduler="full")
    simulate(kept, replay, 10)
    spent = kept.history.elapsed()
    plan = kept.plan(mq.Budget(seconds=spent + 27 * 20))
    assert plan.wall is not None
    assert plan.wall.mean == pytest.approx(27 * 20, rel=0.15)


def test_a_cost_of_the_users_own_is_planned_in_its_unit() -> None:
    objective = mq.Objective(minimize="loss", cost="flops")
    kept = study(virtual_store(), objective=objective, scheduler="full")

    def flops(trial):
        work = 1e9 * trial.scale["width"]
        return [End({"loss": trial["x"], "flops": work}, seconds=1.0, cost=work)]

    simulate(kept, flops, 10)
    plan = kept.plan(20)
    assert plan.cost is not None
    assert plan.seconds is not None
    assert plan.seconds.mean == pytest.approx(10, rel=0.3)
    assert 10 * 8e9 < plan.cost.mean < 10 * 20e9
    plan = kept.plan(mq.Budget(cost=kept.history.cost + 12e10))
    assert plan.trials is not None
    assert 7 < plan.trials.mean < 16


def test_planning_writes_nothing_and_changes_no_proposal(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    kept = study(url)
    for trial in kept.ask(4):
        kept.tell(trial, trial["x"], seconds=3.0)
    waiting = kept.ask()
    kept.add({"x": 0.5, "n": 3})
    before = kept.store.read(1)
    plan = kept.plan(20, workers=2)
    assert kept.store.read(1) == before
    assert [p.origin for p in plan.proposals] == ["user", "random"]
    assert waiting.number not in [p.trial for p in plan.proposals]
    asked = [kept.ask(), kept.ask()]
    assert [dict(p.config) for p in plan.proposals] == [t.config for t in asked]
    assert json.loads(json.dumps(plan.to_json()))["so_far"] == 5


def test_nothing_starts_once_the_budget_is_spent() -> None:
    kept = study(virtual_store())
    simulate(kept, replay, 5)
    plan = kept.plan(5)
    assert plan.proposals == ()
    assert plan.trials is not None
    assert plan.trials.mean == 0
    assert "nothing would start" in str(plan)


def test_a_budget_is_needed() -> None:
    with pytest.raises(mq.MaquetteError, match="budget"):
        study(None).plan(mq.Budget())
    with pytest.raises(mq.MaquetteError, match="workers"):
        study(None).plan(3, workers=0)


def test_the_law_of_costs_is_found_and_its_doubt_shrinks() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([1.0, 1.0, 2.0])
    widths = []
    for n in (4, 100):
        x = np.column_stack([np.ones(n), rng.uniform(0, 3, n), rng.uniform(2, 5, n)])
        y = np.exp(x @ truth + 0.1 * rng.standard_normal(n))
        found = fit(x, y, np.array([np.log(y).mean(), 1.0, 1.0]), np.array([1e3, 0.25, 1.0]))
        draws = [found.draw(rng) for _ in range(400)]
        at = np.array([b @ [1.0, 2.0, 6.0] for b, _ in draws])
        widths.append(at.std())
    assert widths[1] < 0.3 * widths[0]
    assert at.mean() == pytest.approx(15.0, abs=0.15)
    assert np.mean([s for _, s in draws]) == pytest.approx(0.1, rel=0.3)


def test_no_law_without_an_ended_job() -> None:
    assert law(study(None).history, "seconds") is None


def test_a_copied_study_goes_on_where_the_first_stands() -> None:
    kept = study(virtual_store())
    simulate(kept, replay, 6)
    asked = kept.ask()
    copy = MemoryStore(clock=Clock())
    copy.take_over("p", kept.store.find("p").spec, kept.store.read(1))
    other = study(copy)
    assert other.history.counts()["queued"] == 1
    again = other.ask()
    assert (again.number, again.config) == (asked.number, asked.config)
    assert other.ask().config == kept.ask().config


def test_what_would_take_for_ever_to_simulate_is_refused() -> None:
    kept = study(virtual_store(), scheduler="full")
    with pytest.raises(StudyError, match=r"1,000,000 trials is more than 5,000 new trials"):
        kept.plan(10**6)


def test_a_budget_that_lasts_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["maquette.simulate.plan"], "MOST_TRIALS", 30)
    kept = study(virtual_store(), scheduler="full")
    simulate(kept, replay, 6)
    with pytest.raises(StudyError, match="this budget lasts for more than 30 new trials"):
        kept.plan({"seconds": 1e9})
