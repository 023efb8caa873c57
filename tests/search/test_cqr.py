"""Conformal quantile regression as a searcher."""

from __future__ import annotations

import math

import numpy as np
import pytest

import maquette as mq
from maquette.errors import StudyError
from maquette.fidelity import Duration
from maquette.history import Problem
from maquette.objective import Objective
from maquette.search import CQR, Random
from maquette.space import Choice, Float, Space
from maquette.testing.problems import problem
from maquette.testing.script import Script, ask, search
from maquette.trial import Job, State, Suggestion

SPACE = Space({"x": Float(0, 1), "y": Float(0, 1), "k": Choice(["a", "b"])})


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 0.6) ** 2 + 0.2 * (config["k"] == "a")


def test_settings_out_of_range_are_named_together():
    with pytest.raises(StudyError) as caught:
        CQR(initial=0, candidates=4, trees=0)
    assert len(caught.value.problems) == 3


def test_heavy_tails_do_not_stop_it():
    found = {}
    for make in (lambda: CQR(candidates=60, trees=15), Random):
        regret = []
        for seed in range(2):
            rng = np.random.default_rng(seed)

            def noisy(config, rng=rng):
                return bowl(config) + 0.05 * float(rng.standard_cauchy())

            history = search(problem(SPACE, seed), make(), noisy, 30).history
            regret += [bowl(t.config) for t in list(history.trials)[15:]]
        found[make] = np.median(regret)
    ours, chance = found.values()
    assert ours < 0.5 * chance


def test_why_holds_quantiles_of_the_loss():
    history = search(problem(SPACE), CQR(candidates=50, trees=15), bowl, 12).history
    why = history.trials[-1].why
    assert why["quantile 1/6"] <= why["median"] <= why["quantile 5/6"]
    assert 0.0 <= why["median"] <= history.finished.loss.max()


def test_what_was_stopped_early_or_still_runs_counts_with_its_last_loss():
    asked = Problem(SPACE, Objective("loss"), Duration.parse({"s": (1, 9)}))
    script = Script(asked)
    rng = np.random.default_rng(0)
    for i, config in enumerate(SPACE.sample(rng, 24)):
        job = script.propose(Job(Suggestion(config)))
        script.report(job, 1, 5.0)
        script.report(job, 3, bowl(config))
        if i % 3:
            script.end(job, state=State.STOPPED)
        elif i % 2:
            script.end(job, bowl(config))
    for config in ({"x": 0.9, "y": 0.1, "k": "a"}, {"x": 0.95, "y": 0.05, "k": "a"}):
        script.try_config(config, state=State.DIVERGED)
    found = ask(script.history, CQR(candidates=200), n=8)
    assert np.median([bowl(s.config) for s in found]) < 0.12


def test_several_metrics_are_refused():
    two = Problem(SPACE, Objective(minimize=["a", "b"]))
    with pytest.raises(StudyError, match="one metric"):
        ask(Script(two).history, CQR())


def test_under_halving_it_proposes_better_configs_than_chance_on_noisy_curves():
    """y(t) = floor + (0.9 - floor) (1 + t)^-a, with noise of 0.05, as much as configs differ by."""
    space = {f"x{i}": mq.Float(0, 1) for i in range(4)}

    def floor(config):
        return 0.05 + 3 * float(np.mean([(config[f"x{i}"] - 0.37) ** 2 for i in range(4)]))

    def curve(trial):
        rng = np.random.default_rng(trial.seed)
        rate = 0.8 * math.exp(0.3 * rng.standard_normal())
        for t in range(1, 28):
            y = floor(trial) + (0.9 - floor(trial)) * (1 + t) ** -rate
            y += 0.05 * rng.standard_normal()
            if not trial.report(t, loss=y):
                break
        return y

    typical = []
    for searcher in (CQR(candidates=100, trees=15), Random()):
        study = mq.Study(
            "s", space, curve, searcher=searcher, scheduler="asha", fidelity={"steps": (1, 27)}
        )
        study.run(40)
        typical.append(np.median([floor(t.config) for t in study.trials[20:]]))
    assert typical[0] < 0.7 * typical[1]
