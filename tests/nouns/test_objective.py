"""What is optimised, and what a run may return."""

import math

import numpy as np
import pytest

from maquette.errors import ObjectiveError
from maquette.number import as_number
from maquette.objective import Objective


def test_a_name_is_minimised_and_a_prefix_sets_the_direction():
    assert Objective.parse("loss").minimize == ("loss",)
    assert Objective.parse("max:accuracy").maximize == ("accuracy",)
    assert Objective.parse("min:loss") == Objective(minimize="loss")


@pytest.mark.parametrize("bad", ["", "  ", 3, None, "best:accuracy"])
def test_unreadable_objectives_are_refused(bad):
    with pytest.raises(ObjectiveError):
        Objective.parse(bad)


def test_an_unknown_direction_names_the_nearest():
    with pytest.raises(ObjectiveError, match="Did you mean 'max'"):
        Objective.parse("mx:accuracy")


def test_all_problems_are_reported_at_once():
    with pytest.raises(ObjectiveError) as error:
        Objective(minimize=["loss", "loss"], constraints={"mem": "about 8"})
    assert len(error.value.problems) == 2


def test_maximised_metrics_become_losses_and_come_back():
    objective = Objective(minimize="loss", maximize="accuracy")
    np.testing.assert_array_equal(objective.losses({"loss": 0.5, "accuracy": 0.9}), [0.5, -0.9])
    single = Objective(maximize="accuracy")
    assert single.loss({"accuracy": 0.9}) == -0.9
    assert single.value(-0.9) == 0.9


def test_a_missing_metric_is_nan_not_zero():
    assert math.isnan(Objective("loss").loss({"other": 1.0}))


def test_violation_sums_how_far_bounds_are_broken():
    objective = Objective("loss", constraints={"mem": "<= 8", "acc": ">= 0.5"})
    assert objective.violation({"mem": 9.0, "acc": 0.25}) == pytest.approx(1.25)
    assert objective.violation({"mem": 8.0, "acc": 0.5}) == 0.0
    assert math.isnan(objective.violation({"mem": 8.0}))


@pytest.mark.parametrize("value", [1, 1.5, np.float32(2.5), np.array(3.0), np.array([4.0])])
def test_numbers_of_every_library_are_results(value):
    assert Objective("loss").read(value) == {"loss": float(np.asarray(value).reshape(()))}


@pytest.mark.parametrize("value", [None, "0.3", True, [0.3], np.zeros(2), object()])
def test_what_is_not_a_number_is_refused_with_what_it_was(value):
    with pytest.raises(ObjectiveError, match=type(value).__name__):
        Objective("loss").read(value)


def test_a_mapping_without_the_metric_names_the_nearest():
    with pytest.raises(ObjectiveError, match=r"no metric 'loss'. Did you mean 'losss'"):
        Objective("loss").read({"losss": 0.3})


def test_extra_entries_that_are_no_numbers_are_left_out():
    assert Objective("loss").read({"loss": 0.3, "note": "fine"}) == {"loss": 0.3}


def test_json_round_trip():
    objective = Objective("loss", "acc", {"mem": "<= 8e9"}, cost="flops")
    assert Objective.from_json(objective.to_json()) == objective


def test_booleans_are_not_numbers():
    assert as_number(True) is None
    assert as_number(np.int64(3)) == 3.0


def test_excess_is_signed_and_unknown_where_a_metric_is_missing():
    objective = Objective("loss", constraints={"mem": "<= 8", "acc": ">= 0.5"})
    assert objective.excess({"mem": 7.0, "acc": 0.25}) == [-1.0, 0.25]
    unknown = objective.excess({"acc": 1.0})
    assert math.isnan(unknown[0])
    assert unknown[1] == -0.5
    assert Objective("loss").excess({"loss": 1.0}) == []
