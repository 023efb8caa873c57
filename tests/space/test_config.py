"""Checking configs: every mistake at once; normal forms, keys, partial configs."""

import math
import subprocess
import sys

import numpy as np
import pytest

from maquette.errors import SpaceError
from maquette.space import Choice, Float, Int, Space

SPACE = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "warmup": Float(0, 0.5, default=0.1),
        "layers": Int(2, 8),
        "optimizer": Choice(["adamw", "muon", "sgd"]),
        "momentum": Float(0.8, 0.99, when={"optimizer": "sgd"}),
        "bias": Choice([True, False, None, 1]),
    },
    ["warmup + lr <= 0.55"],
)
GOOD = {"lr": 0.01, "warmup": 0.1, "layers": 4, "optimizer": "adamw", "bias": True}


def problems(config):
    with pytest.raises(SpaceError) as caught:
        SPACE.check(config)
    return list(caught.value.problems)


def test_a_good_config_passes():
    SPACE.check(GOOD)
    SPACE.check({**GOOD, "optimizer": "sgd", "momentum": 0.9})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 1.0}, "lr: 1.0 lies outside [0.0001, 0.1]"),
        ({"lr": "0.01"}, "lr: must be a finite number, not '0.01'"),
        ({"lr": None}, "lr: must be a finite number, not None"),
        ({"lr": math.nan}, "lr: must be a finite number, not nan"),
        ({"lr": True}, "lr: must be a finite number, not True"),
        ({"layers": 4.5}, "layers: must be a whole number, not 4.5"),
        ({"layers": True}, "layers: must be a whole number, not True"),
        ({"layers": 9}, "layers: 9 lies outside [2, 8]"),
        (
            {"optimizer": "adam"},
            "optimizer: 'adam' is not one of the choices. Did you mean 'adamw'?",
        ),
        ({"optimizer": ["adamw"]}, "optimizer: ['adamw'] is not one of the choices."),
        ({"bias": 0}, "bias: 0 is not one of the choices. Valid: true, false, none, 1."),
        (
            {"momentum": 0.9},
            "momentum: is present but not active (it needs optimizer = sgd)",
        ),
        ({"layrs": 4}, "unknown parameter 'layrs'. Did you mean 'layers'?"),
        ({3: 4}, "unknown parameter 3. Valid: lr, warmup, layers, optimizer, momentum, bias."),
        (
            {"warmup": 0.5, "lr": 0.1},
            "constraint 'warmup + lr <= 0.55' is violated by lr=0.1, warmup=0.5",
        ),
        ({"optimizer": "sgd"}, "momentum: is missing"),
    ],
)
def test_a_mistake_is_named(change, message):
    found = problems({**GOOD, **change})
    assert len(found) == 1
    assert found[0].startswith(message)


def test_all_mistakes_are_reported_at_once():
    found = problems({"lr": "x", "layrs": 3, "optimizer": "adam", "momentum": 0.9, "warmup": 3})
    assert found == [
        "unknown parameter 'layrs'. Did you mean 'layers'?",
        "lr: must be a finite number, not 'x'",
        "warmup: 3 lies outside [0, 0.5]",
        "layers: is missing",
        "optimizer: 'adam' is not one of the choices. Did you mean 'adamw'?",
        "bias: is missing",
    ]


@pytest.mark.parametrize("config", [None, 3, "lr", [("lr", 1)]])
def test_a_config_is_a_mapping(config):
    assert problems(config)[0].startswith("a config is a mapping from names to values")


def test_the_normal_form_has_types_order_and_no_inactive_parameters():
    loose = {
        "momentum": 0.9,
        "bias": np.bool_(True),
        "optimizer": np.str_("adamw"),
        "layers": np.float64(4),
        "warmup": np.float32(0.125),
        "lr": 0.01,
    }
    normal = SPACE.normalise(loose)
    assert list(normal.items()) == [
        ("lr", 0.01),
        ("warmup", 0.125),
        ("layers", 4),
        ("optimizer", "adamw"),
        ("bias", True),
    ]
    assert [type(v) for v in normal.values()] == [float, float, int, str, bool]


def test_true_and_one_are_two_choices():
    keys = {SPACE.key({**GOOD, "bias": bias}) for bias in (True, False, None, 1)}
    assert len(keys) == 4
    assert SPACE.key({**GOOD, "bias": 1.0}) == SPACE.key({**GOOD, "bias": 1})
    rows, _ = SPACE.encode_many([{**GOOD, "bias": b} for b in (True, False, None, 1, 1.0)])
    np.testing.assert_allclose(rows[:, 5], [0.125, 0.375, 0.625, 0.875, 0.875])


def test_the_key_is_the_same_in_another_process():
    code = (
        "from tests.space.test_config import SPACE, GOOD;"
        "print(SPACE.key(dict(reversed(GOOD.items()))))"
    )
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == SPACE.key(GOOD)


def test_a_key_ignores_what_is_inactive():
    assert SPACE.key({**GOOD, "momentum": 0.9}) == SPACE.key(GOOD)


def test_keys_of_wrong_configs_are_refused():
    with pytest.raises(SpaceError, match="layers: is missing"):
        SPACE.key({n: v for n, v in GOOD.items() if n != "layers"})


def test_a_partial_config_is_completed_by_defaults():
    filled = SPACE.fill({"optimizer": "sgd", "layers": 8})
    assert filled == {
        "lr": pytest.approx(10**-2.5),
        "warmup": 0.1,
        "layers": 8,
        "optimizer": "sgd",
        "momentum": pytest.approx(0.895),
        "bias": True,
    }
    with pytest.raises(SpaceError, match="unknown parameter 'layer'"):
        SPACE.fill({"layer": 8})


@pytest.mark.parametrize(
    "change",
    [{"lr": 1.0}, {"lr": "0.01"}, {"layers": 4.5}, {"optimizer": "adam"}, {"optimizer": ["adamw"]}],
)
def test_encoding_refuses_what_does_not_fit(change):
    with pytest.raises(SpaceError, match=next(iter(change))):
        SPACE.encode_many([GOOD, {**GOOD, **change}])


def test_encoding_refuses_what_is_missing():
    with pytest.raises(SpaceError, match="momentum: is missing"):
        SPACE.encode({**GOOD, "optimizer": "sgd"})


@pytest.mark.parametrize("row", [np.zeros(3), np.full(6, np.nan)])
def test_decoding_refuses_a_row_that_is_none(row):
    with pytest.raises(SpaceError, match="rows"):
        SPACE.decode(row)


def test_what_models_ask():
    np.testing.assert_array_equal(SPACE.is_categorical, [0, 0, 0, 1, 0, 1])
    np.testing.assert_array_equal(SPACE.is_log, [1, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(SPACE.cardinality, [0, 0, 7, 3, 0, 4])
    np.testing.assert_array_equal(SPACE.activity(GOOD), [1, 1, 1, 1, 0, 1])
    assert SPACE.names == ("lr", "warmup", "layers", "optimizer", "momentum", "bias")
    assert SPACE.dimensions == 6


def test_defaults_are_declared_or_in_the_middle():
    space = Space(
        {
            "a": Float(0, 4),
            "b": Float(1e-4, 1e-2, log=True),
            "c": Int(0, 4),
            "d": Choice(["x", "y"]),
            "e": Float(0, 1, default=0.25),
            "f": Choice(["x", "y"], default="y"),
            "g": Float(0, 1, when={"f": "y"}),
            "h": Float(0, 1, when={"f": "x"}),
        }
    )
    assert space.defaults() == {
        "a": 2.0,
        "b": 0.001,
        "c": 2,
        "d": "x",
        "e": 0.25,
        "f": "y",
        "g": 0.5,
    }


def test_defaults_move_into_the_constraints():
    space = Space({"a": Float(0, 1), "b": Float(0, 1)}, ["a + b <= 0.2"])
    config = space.defaults()
    space.check(config)
    assert config["a"] + config["b"] > 0.15
    assert config == space.defaults() == Space(space, space.constraints).defaults()


def test_a_range_wider_than_integers_go_has_no_count():
    wide = Space({"a": Float(1e-300, 1e300, log=True), "b": Float(-1e300, 1e300), "n": Int(1, 3)})
    np.testing.assert_array_equal(wide.cardinality, [0, 0, 3])
