"""What Optuna's suite does not ask: branches, states, constraints, parallel asks, resuming."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

optuna = pytest.importorskip("optuna", reason="needs optuna: optuna is not installed")

import maquette as mq  # noqa: E402
from maquette.errors import StudyError  # noqa: E402
from maquette.integrations.optuna import MaquetteSampler  # noqa: E402


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def program(trial: Any) -> float:
    """Branches on a name, and on a number."""
    lr = trial.suggest_float("lr", 1e-5, 1, log=True)
    loss = (math.log10(lr) + 2) ** 2
    if trial.suggest_categorical("optimizer", ["adam", "sgd", None]) == "sgd":
        loss += trial.suggest_float("momentum", 0, 0.99)
    for i in range(trial.suggest_int("layers", 1, 5, step=2)):
        loss += abs(trial.suggest_int(f"units{i}", 16, 256, step=16) - 128) / 500
    return loss + trial.suggest_float("dropout", 0, 0.5, step=0.1)


def studied(searcher: Any = "random", trials: int = 20, seed: int = 0, **more: Any) -> Any:
    study = optuna.create_study(sampler=MaquetteSampler(searcher, seed=seed), **more)
    study.optimize(program, n_trials=trials)
    return study


def test_the_branches_of_a_program_are_proposed_together() -> None:
    study = studied(trials=25)
    space = study.sampler.infer_relative_search_space(study, study.ask())
    assert {"lr", "optimizer", "momentum", "layers", "units0", "units4", "dropout"} <= set(space)
    seen = set()
    for number in range(30):
        frozen = copy.copy(study.trials[-1])
        frozen.number = 1000 + number
        params = study.sampler.sample_relative(study, frozen, space)
        assert ("momentum" in params) == (params["optimizer"] == "sgd")
        assert sum(name.startswith("units") for name in params) == params["layers"]
        seen.add(params["layers"])
    assert seen == {1, 3, 5}


def test_a_proposal_is_what_the_trial_gets() -> None:
    study = studied("tpe", trials=12)
    trial = study.ask()
    program(trial)
    proposed = study.sampler._proposed[study.study_name]
    assert trial.number in proposed
    assert set(trial.params) == set(trial.relative_params)
    study.tell(trial, 1.0)
    assert trial.number not in proposed


def test_it_beats_random_search_on_a_program_with_branches() -> None:
    chance = [studied("random", 20, seed).best_value for seed in range(3)]
    assert studied("gp", 20).best_value < min(chance)


def test_same_seed_same_trials_and_a_copied_sampler_goes_on_alike() -> None:
    one, two = studied("tpe", 14), studied("tpe", 7)
    two.sampler = copy.deepcopy(two.sampler)  # what is learned from the trials is learned again
    two.optimize(program, n_trials=7)
    assert [t.params for t in one.trials] == [t.params for t in two.trials]


def test_trials_asked_for_at_once_differ() -> None:
    study = optuna.create_study(sampler=MaquetteSampler("gp", seed=1))
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    for value in (0.3, 0.8, 0.5):
        trial = study.ask(space)
        study.tell(trial, abs(trial.params["x"] - value))
    found = [study.ask(space).params["x"] for _ in range(6)]
    assert len({round(x, 3) for x in found}) == 6


def test_states_are_what_optuna_says() -> None:
    def broken(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        match trial.number % 5:
            case 0:
                trial.report(2.0, 3)
                raise optuna.TrialPruned
            case 1:
                raise RuntimeError("no")
            case 2:
                return math.inf
        return x

    study = optuna.create_study(sampler=MaquetteSampler("gp", seed=0))
    study.optimize(broken, n_trials=15, catch=RuntimeError)
    evidence = next(iter(study.sampler._kept.values()))
    evidence.take(study.get_trials(deepcopy=False), {}, -1)
    assert evidence.history.counts() == {"done": 6, "stopped": 3, "diverged": 3, "crashed": 3}
    assert evidence.history.trials[0].losses == [2.0]


def test_maximised_values_and_constraints() -> None:
    def constraints(trial: Any) -> list[float]:
        return [trial.params["x"] - 0.4]

    sampler = MaquetteSampler("gp", seed=0, constraints_func=constraints)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=16)
    late = [t.params["x"] for t in study.trials[10:]]
    assert 0.3 < sorted(late)[len(late) // 2] < 0.45
    assert max(t.params["x"] for t in study.trials if t.params["x"] <= 0.4) > 0.37
    evidence = next(iter(study.sampler._kept.values()))
    assert evidence.history.objective.maximize == ("value 0",)
    assert (evidence.history.finished.violation > 0).any()


def test_several_objectives_are_searched_together() -> None:
    """The front of x^2 and (x - 1)^2 is 0..1, a third of the range."""

    def both(trial: Any) -> tuple[float, float]:
        x = trial.suggest_float("x", -1, 2)
        return x**2, -((x - 1) ** 2)

    sampler = MaquetteSampler("gp", seed=0)
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=sampler)
    study.optimize(both, n_trials=16)
    late = [t.params["x"] for t in study.trials[8:]]
    assert sum(-0.05 <= x <= 1.05 for x in late) >= 6


def test_a_grid_ends_the_study() -> None:
    space = {"x": mq.Int(1, 3), "c": mq.Choice(["a", "b"])}
    study = optuna.create_study(sampler=MaquetteSampler("grid", seed=0, space=space))
    study.optimize(lambda t: t.suggest_int("x", 1, 3) + len(t.suggest_categorical("c", "ab")), 20)
    assert len(study.trials) == 7
    assert len({tuple(t.params.items()) for t in study.trials[:6]}) == 6


def test_a_declared_space_holds_from_the_first_trial() -> None:
    space = mq.Space(
        {
            "optimizer": mq.Choice(["adam", "sgd"]),
            "momentum": mq.Float(0.5, 0.99, when={"optimizer": "sgd"}),
            "width": mq.Int(8, 64, log=True),
            "depth": mq.Int(1, 8),
        },
        constraints=["depth * width <= 128"],
    )

    def declared(trial: Any) -> float:
        if trial.suggest_categorical("optimizer", ["adam", "sgd"]) == "sgd":
            trial.suggest_float("momentum", 0.5, 0.99)
        width, depth = trial.suggest_int("width", 8, 64, log=True), trial.suggest_int("depth", 1, 8)
        assert set(trial.params) <= set(trial.relative_params)
        return float(width * depth)

    study = optuna.create_study(sampler=MaquetteSampler("tpe", seed=0, space=space))
    study.optimize(declared, n_trials=12)
    assert all(t.params["width"] * t.params["depth"] <= 128 for t in study.trials)
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        fixed = optuna.samplers.PartialFixedSampler({"optimizer": "sgd"}, study.sampler)
    study.sampler = fixed
    study.optimize(declared_without_check, n_trials=2)
    assert all("momentum" in t.params for t in study.trials[-2:])


def declared_without_check(trial: Any) -> float:
    trial.suggest_categorical("optimizer", ["adam", "sgd"])
    trial.suggest_float("momentum", 0.5, 0.99)
    return float(trial.suggest_int("width", 8, 64, log=True))


def test_a_store_is_shared_by_samplers(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/optuna.db"
    first = studied("tpe", 5, storage=url, study_name="s")
    trial = first.ask()
    trial.suggest_float("lr", 1e-5, 1, log=True)  # half asked for, elsewhere
    second = optuna.load_study(study_name="s", storage=url, sampler=MaquetteSampler("tpe", seed=9))
    second.optimize(program, n_trials=2)
    assert len(second.trials) == 8
    assert second.trials[-1].state is optuna.trial.TrialState.COMPLETE


def test_wrong_arguments() -> None:
    with pytest.raises(StudyError, match="gpp"):
        MaquetteSampler("gpp")
