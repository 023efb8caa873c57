import math

import numpy as np
import pytest

from maquette.errors import DataError, ScaleError
from maquette.scaling import fit

GOOD = {"lr": [1e-3, 2e-3, 4e-3, 8e-3], "N": [1e6, 1e6, 4e6, 4e6], "loss": [3.0, 2.9, 2.5, 2.6]}


def attempt(table, settings=("lr",), scale=("N",), loss="loss", **kw):
    return fit(table, settings=settings, scale=list(scale), loss=loss, **kw)


def test_unknown_columns_are_all_named_with_the_nearest():
    with pytest.raises(DataError) as error:
        attempt(GOOD, settings=["lrr"], scale=["M"], loss="losss")
    assert len(error.value.problems) == 3
    assert "Did you mean 'lr'?" in str(error.value)
    assert "Did you mean 'loss'?" in str(error.value)


def test_every_bad_cell_is_reported_at_once():
    table = GOOD | {"N": [1e6, 0.0, -1.0, "many"], "lr": [1e-3, math.inf, 1e-3, 1e-3]}
    with pytest.raises(DataError) as error:
        attempt(table)
    text = str(error.value)
    assert "'N' is not a number in row 4 (first: 'many')" in text
    assert "setting 'lr' is infinite in row 2" in text


def test_scales_must_be_positive():
    with pytest.raises(DataError, match="must be positive and finite: rows 1, 2 are not"):
        attempt(GOOD | {"N": [0.0, -1.0, 1e6, 1e6]})


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"lr": [], "N": [], "loss": []}, "no rows"),
        ({"lr": [1.0], "N": [1.0, 2.0], "loss": [1.0]}, "differ in length"),
        (GOOD | {"loss": [math.nan] * 4}, "no run has a finite"),
        (GOOD | {"loss": ["a", "b", 1, 2]}, "is not a number in rows 1, 2"),
    ],
)
def test_hopeless_tables(table, match):
    with pytest.raises(DataError, match=match):
        attempt(table)


def test_a_column_has_one_part():
    with pytest.raises(DataError, match="named more than once"):
        attempt(GOOD, settings=["lr", "N"])


def test_a_string_is_no_list_of_columns():
    with pytest.raises(DataError, match="must be a list"):
        fit(GOOD, settings="lr", scale=["N"], loss="loss")


def test_questions_about_unknown_axes_and_settings():
    model = attempt(GOOD)
    with pytest.raises(ScaleError, match="no scale axis 'M'"):
        model.recipe(M=1e7)
    with pytest.raises(ScaleError, match="must be a positive number"):
        model.recipe(N=-1.0)
    with pytest.raises(ScaleError, match="no setting 'wd'"):
        model.predict({"wd": 0.1}, N=1e6)
    with pytest.raises(ScaleError, match="taken in log"):
        model.predict({"lr": 0.0}, N=1e6)


def test_log_is_chosen_by_what_was_tried_and_can_be_forced():
    n = 12
    rng = np.random.default_rng(0)
    table = {
        "lr": list(np.geomspace(1e-4, 1e-2, n)),
        "momentum": list(rng.uniform(0.85, 0.95, n)),
        "wd": [0.0, *np.geomspace(1e-4, 1e-1, n - 1)],
        "shift": list(rng.uniform(-1, 1, n)),
        "act": ["gelu", "relu"] * (n // 2),
        "N": [1e6, 2e6] * (n // 2),
        "loss": list(rng.uniform(2, 3, n)),
    }
    names = ["lr", "momentum", "wd", "shift", "act"]
    kinds = [s.kind for s in attempt(table, settings=names).runs.settings]
    assert kinds == ["log", "linear", "shifted log", "linear", "choice"]
    forced = dict.fromkeys(names) | {"momentum": True, "lr": False}
    forced = attempt(table, settings=forced).runs.settings
    assert [s.kind for s in forced][:2] == ["linear", "log"]
    with pytest.raises(DataError, match="negative values"):
        attempt(table, settings={"shift": True})
