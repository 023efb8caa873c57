"""ASHA on simulated workers: rungs, ranking, no idle worker, replays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maquette.errors import StudyError
from maquette.events import Proposed, Requeued, Started
from maquette.fidelity import Duration
from maquette.history import History
from maquette.instances import Instances
from maquette.rng import generator
from maquette.scale import Scale
from maquette.schedule import ASHA
from maquette.schedule.ranking import ranking, until
from maquette.schedule.rungs import cutoff, rungs
from maquette.schedule.stretch import loss_at
from maquette.search import Random
from maquette.testing.script import Script, ask
from maquette.trial import Job, State, Suggestion
from tests.schedule.simulator import Curves, curves_problem, simulate

CURVES = Curves(rho=0.3, noise=0.002)


def curve(config, t, job):
    return CURVES.loss(config, t)


def crossed(history, rung):
    """Trials that have a loss at a rung, in the order of proposal."""
    return [t for t in history.trials if t.reached >= rung]


def went_past(history, rung):
    return [t for t in history.trials if max(j.fidelity.until["t"] for j in t.jobs) > rung]


@pytest.mark.parametrize(
    ("least", "full", "eta", "table"),
    [
        (1, 81, 3, (1, 3, 9, 27, 81)),
        (1, 27, 3, (1, 3, 9, 27)),
        (1, 16, 2, (1, 2, 4, 8, 16)),
        (1, 100, 3, (1, 3, 9, 27, 81, 100)),
        (27, 729, 3, (27, 81, 243, 729)),
        (5, 5, 3, (5,)),
        (1, 10, 2.5, (1, 2, 6, 10)),
        (0.5, 4.5, 3, (0.5, 1.5, 4.5)),
    ],
)
def test_rungs(least, full, eta, table):
    assert rungs(Duration.parse({"t": (least, full)}), eta) == table


def test_the_bar_is_the_quantile_of_numpy():
    rng = np.random.default_rng(0)
    for n in range(3, 40):
        losses = rng.standard_normal(n).tolist()
        assert cutoff(sorted(losses), 3.0) == pytest.approx(np.quantile(losses, 1 / 3), rel=1e-12)
    assert cutoff([1.0, 2.0], 3.0) is None
    assert cutoff([math.inf] * 5, 3.0) == math.inf
    assert cutoff([1.0, 2.0, math.inf, math.inf, math.inf, math.inf], 3.0) == 2.0


@pytest.mark.parametrize("workers", [1, 4, 25])
@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_no_worker_ever_waits(mode, workers):
    sim = simulate(curves_problem(), ASHA(mode=mode), Random(), curve, workers=workers, epochs=600)
    assert sim.epochs >= 600
    assert sim.idle == 0


@pytest.mark.parametrize("workers", [1, 4, 25])
def test_at_most_one_in_eta_is_promoted(workers):
    levels = rungs(curves_problem().duration, 3.0)

    def check(history):
        for rung in levels[:-1]:
            here, promoted = crossed(history, rung), went_past(history, rung)
            assert len(promoted) <= math.ceil(len(here) / 3)

    scheduler = ASHA(mode="promote")
    problem = curves_problem(1, 27)
    sim = simulate(problem, scheduler, Random(), curve, workers=workers, epochs=600, check=check)
    assert any(t.state is State.DONE for t in sim.history.trials)


@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_the_same_events_give_the_same_decisions(mode):
    def run(workers):
        scheduler = ASHA(mode=mode)
        return simulate(curves_problem(), scheduler, Random(), curve, workers=workers, epochs=250)

    assert run(4).script.events == run(4).script.events
    script = run(1).script
    for event in script.events:
        if isinstance(event.body, Proposed) and event.body.job % 3 == 0:
            history = script.prefix(event.number - 1)
            rng = generator(history.problem.seed, history.last)
            job = ASHA(mode=mode).next(history, Random(), 1, rng)[0]
            assert dict(job.fidelity.until) == event.body.until
            assert job.first_step == event.body.first_step
            assert job.trial == (event.body.trial if event.body.config is None else None)


def test_results_in_order_promote_what_synchronous_halving_promotes():
    """27 configs, best first, one worker: each rung keeps the top third, as SHA would."""
    script, scheduler = Script(curves_problem(1, 27)), ASHA(mode="promote")
    script, survivors = _drive(script, scheduler, list(np.linspace(0.0, 1.0, 27)))
    assert survivors == [set(range(9)), set(range(3)), {0}]


def test_in_any_order_a_third_is_promoted():
    """However late the good ones come, a third goes on, and the best of all is among them."""
    values = np.random.default_rng(3).permutation(27) / 27.0
    _, survivors = _drive(Script(curves_problem(1, 27)), ASHA(mode="promote"), list(values))
    best = set(np.argsort(values)[:1].tolist())
    assert len(survivors[0]) == 9
    assert best <= survivors[0]
    assert best <= survivors[1]


def _drive(script, scheduler, values):
    """Run 27 new trials in turn with promotions first; return who went past each rung."""

    class Line:
        def suggest(self, history, at, n, rng):
            i = len(history.trials)
            return [Suggestion({f"x{k}": 0.5 for k in range(4)})] if i < len(values) else []

    while jobs := scheduler.next(script.history, Line(), 1, np.random.default_rng(0)):
        number = script.propose(jobs[0])
        job = script.history.jobs[number]
        script.report(number, job.fidelity.until["t"], values[job.trial])
        script.end(number, values[job.trial])
    levels = rungs(script.problem.duration, 3.0)
    return script, [{t.number for t in went_past(script.history, r)} for r in levels[:-1]]


def test_a_promoted_trial_goes_on_from_its_checkpoint():
    script, _ = _drive(Script(curves_problem(1, 27)), ASHA(mode="promote"), list(range(27)))
    jobs = script.history.trials[0].jobs
    assert [j.fidelity.until["t"] for j in jobs] == [1, 3, 9, 27]
    assert [j.first_step for j in jobs] == [0, 1, 3, 9]
    assert [j.start for j in jobs[1:]] == [
        ("000000/checkpoints/1",),
        ("000000/checkpoints/3",),
        ("000000/checkpoints/9",),
    ]
    assert [j.final for j in jobs] == [False, False, False, True]


def test_a_stopped_trial_ranks_but_is_no_observation():
    sim = simulate(curves_problem(), ASHA(), Random(), curve, epochs=400)
    stopped = [t for t in sim.history.trials if t.state is State.STOPPED]
    assert stopped
    assert all(math.isnan(t.loss) and t.reached < 81 for t in stopped)
    finished = sim.history.finished
    assert not finished.ok[finished.state == State.STOPPED].any()


def test_stopping_follows_the_quantile_rule():
    script, scheduler = Script(curves_problem(1, 27)), ASHA()
    config = {f"x{i}": 0.5 for i in range(4)}
    seen = []
    for value in [5.0, 4.0, 3.0, 6.0, 1.0, 2.0, float("nan")]:
        job = script.propose(Job(Suggestion(config), ask_at(script)))
        script.report(job, 1, value)
        seen.append(value if math.isfinite(value) else math.inf)
        stop = scheduler.decide(script.history, script.history.jobs[job].trial)
        wanted = len(seen) >= 3 and seen[-1] > cutoff(sorted(seen), 3.0)
        assert bool(stop) == wanted
        if stop:
            assert "at 1 is above" in stop[0].reason
        script.report(job, 2, value)
        assert not scheduler.decide(script.history, script.history.jobs[job].trial)


def ask_at(script, **scale):
    from maquette.fidelity import Fidelity

    duration = script.problem.duration
    return Fidelity(duration.until(duration.full), scale)


def test_a_report_that_skips_a_rung_is_judged_there():
    script, scheduler = Script(curves_problem(1, 27)), ASHA()
    config = {f"x{i}": 0.5 for i in range(4)}
    jobs = [script.propose(Job(Suggestion(config), ask_at(script))) for _ in range(4)]
    for job, value in zip(jobs, [1.0, 2.0, 3.0, 4.0], strict=True):
        script.report(job, 10, value)
    assert scheduler.decide(script.history, 3)
    assert not scheduler.decide(script.history, 0)


def test_trials_of_different_cells_are_not_compared():
    scale = Scale([{"w": 1}, {"w": 2}], w=(1, 64))
    script, scheduler = Script(curves_problem(1, 27, scale=scale)), ASHA()
    config = {f"x{i}": 0.5 for i in range(4)}
    for i in range(6):
        small = script.propose(Job(Suggestion(config), ask_at(script, w=1)))
        script.report(small, 1, 0.1 + 0.001 * i)
    large = [script.propose(Job(Suggestion(config), ask_at(script, w=2))) for _ in range(3)]
    for job, value in zip(large, [9.0, 8.0, 7.0], strict=True):
        script.report(job, 1, value)
    last = script.history.jobs[large[-1]].trial
    assert not scheduler.decide(script.history, last)  # best of its cell, worst of all
    assert scheduler.decide(script.history, script.history.jobs[large[0]].trial)


@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_instances_come_after_full_duration_and_rank_apart(mode):
    problem = curves_problem(1, 9, instances=Instances(["easy", "hard"]))

    def loss(config, t, job):
        return CURVES.loss(config, t) + (10.0 if job.fidelity.instance == "hard" else 0.0)

    sim = simulate(problem, ASHA(mode=mode), Random(), loss, epochs=200)
    done = [t for t in sim.history.trials if t.state is State.DONE]
    assert done
    for trial in done:
        assert [j.fidelity.instance for j in trial.jobs].count("hard") == 1
        assert trial.jobs[-1].fidelity.instance == "hard"
        assert trial.jobs[-1].final
        easy, hard = (CURVES.loss(trial.config, 9) + e for e in (0.0, 10.0))
        assert trial.loss == pytest.approx((easy + hard) / 2)


def test_brackets_shift_the_first_rung():
    scheduler = ASHA(brackets=3)
    history = Script(curves_problem()).history
    levels = rungs(history.problem.duration, 3.0)
    drawn = [scheduler.bracket(history, i, levels) for i in range(3000)]
    share = np.bincount(drawn) / len(drawn)
    wanted = np.array([1.0, 5 / 4 / 3, 5 / 3 / 9])
    assert np.abs(share - wanted / wanted.sum()).max() < 0.03
    sim = simulate(curves_problem(), ASHA(brackets=3, mode="promote"), Random(), curve, epochs=300)
    for trial in sim.history.trials:
        first = trial.jobs[0].fidelity.until["t"]
        assert first == levels[scheduler.bracket(sim.history, trial.number, levels)]


@pytest.mark.slow
def test_halving_beats_full_training_at_equal_epochs():
    def regret(mode, seed):
        scheduler = ASHA(mode=mode)
        sim = simulate(curves_problem(seed=seed), scheduler, Random(), curve, epochs=1404)
        done = [t for t in sim.history.trials if t.state is State.DONE]
        return min((CURVES.asymptote(t.config) for t in done), default=1.0) - 0.05

    def chance(seed):
        configs = ask(Script(curves_problem(seed=seed)).history, Random(), n=17)
        best = min(configs, key=lambda s: CURVES.loss(s.config, 81))
        return CURVES.asymptote(best.config) - 0.05

    random_search = np.median([chance(seed) for seed in range(5)])
    for mode in ("stop", "promote"):
        assert np.median([regret(mode, seed) for seed in range(5)]) <= 0.6 * random_search


def test_what_is_wrong_with_the_settings_is_said_at_once():
    with pytest.raises(StudyError) as caught:
        ASHA(eta=1.0, mode="promot", brackets=0)
    assert len(caught.value.problems) == 3
    assert "Did you mean 'promote'?" in str(caught.value)


def test_halving_needs_a_duration():
    from tests.schedule.test_full import plain_problem

    with pytest.raises(StudyError, match="declares no fidelity"):
        ASHA().next(Script(plain_problem()).history, Random(), 1, np.random.default_rng(0))


def _by_hand(history, rung, eta):
    """Who is promotable from a rung, by the rule, from all trials."""
    passed = [(loss_at(history, t, rung, None), t) for t in history.trials]
    passed = sorted((loss, t.number) for loss, t in passed if loss is not None)
    past = [n for _, n in passed if until(history.trials[n]) > rung]
    best = math.ceil(len(passed) / eta)
    waits = [
        n
        for loss, n in passed[:best]
        if history.trials[n].state is State.PAUSED and n not in past and math.isfinite(loss)
    ]
    chosen = waits[: max(0, best - len(past))] if len(passed) >= eta else []
    return [loss for loss, _ in passed], chosen


@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_a_ranking_that_is_kept_up_is_one_made_anew(mode):
    script = simulate(
        curves_problem(1, 27), ASHA(mode=mode), Random(), curve, workers=3, epochs=400
    ).script
    history = History(script.problem)
    for event in script.events:
        history.extend([event])
        for rung in (1.0, 3.0, 9.0):
            kept = ranking(history, rung, {}, None)
            assert (kept.losses, kept.promotable(3.0, 10**6)) == _by_hand(history, rung, 3.0)


def test_a_trial_that_is_started_again_is_ranked_by_what_it_reports_then():
    script = Script(curves_problem(1, 27))
    scheduler = ASHA(mode="promote")
    rng = np.random.default_rng(0)
    jobs = [script.propose(scheduler.next(script.history, Random(), 1, rng)[0]) for _ in range(4)]
    for loss, job in enumerate(jobs):
        script.report(job, 1, float(loss))
    assert ranking(script.history, 1.0, {}, None).losses == [0.0, 1.0, 2.0, 3.0]
    script.write(Requeued(0, jobs[0], "lost"))
    script.write(Started(0, jobs[0], "another", 2))
    assert ranking(script.history, 1.0, {}, None).losses == [1.0, 2.0, 3.0]
    script.report(jobs[0], 1, 9.0)
    assert ranking(script.history, 1.0, {}, None).losses == [1.0, 2.0, 3.0, 9.0]
