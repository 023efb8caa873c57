"""Conditions: by value, any of several, ranges, several at once, nested."""

import numpy as np
import pytest

from maquette.errors import SpaceError
from maquette.space import Choice, Condition, Float, Int, Space


def active(space, config):
    return {n for n, on in zip(space.names, space.activity(config), strict=True) if on}


def test_any_of_several_values():
    space = Space(
        {
            "optimizer": Choice(["adamw", "muon", "sgd"]),
            "momentum": Float(0, 1, when={"optimizer": ["sgd", "muon"]}),
        }
    )
    assert active(space, {"optimizer": "adamw"}) == {"optimizer"}
    for optimizer in ("sgd", "muon"):
        assert active(space, {"optimizer": optimizer, "momentum": 0.5}) == {*space}


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        (4, [4]),
        (4.0, [4]),
        ([2, 4], [2, 4]),
        ((4, 6), [4, 5, 6]),
        ((3.5, 5.5), [4, 5]),
        ({"range": [4, 6]}, [4, 5, 6]),
    ],
)
def test_numeric_parents_by_value_or_range(when, holds):
    space = Space({"layers": Int(2, 8), "x": Float(0, 1, when={"layers": when})})
    found = [k for k in range(2, 9) if "x" in active(space, {"layers": k, "x": 0.5})]
    assert found == holds


def test_a_range_over_choices_of_numbers():
    space = Space({"batch": Choice([8, 16, 64]), "x": Float(0, 1, when={"batch": (10, 64)})})
    assert [b for b in (8, 16, 64) if "x" in active(space, {"batch": b, "x": 0})] == [16, 64]


def test_a_range_over_a_float_parent_is_closed():
    space = Space({"p": Float(0, 1), "x": Int(0, 3, when={"p": (0.5, 0.75)})})
    found = [p for p in (0.49, 0.5, 0.6, 0.75, 0.76) if "x" in active(space, {"p": p, "x": 1})]
    assert found == [0.5, 0.6, 0.75]


def test_all_conditions_must_hold_and_parents_be_active():
    space = Space(
        {
            "c": Float(0, 1, when={"b": True, "k": (1, 2)}),  # before its parents
            "b": Choice([True, False, 1], when={"a": "x"}),
            "a": Choice(["x", "y"]),
            "k": Int(0, 3),
        }
    )
    assert active(space, {"a": "x", "b": True, "k": 1, "c": 0}) == {"a", "b", "c", "k"}
    assert active(space, {"a": "x", "b": 1, "k": 1, "c": 0}) == {"a", "b", "k"}
    assert active(space, {"a": "x", "b": True, "k": 3, "c": 0}) == {"a", "b", "k"}
    assert active(space, {"a": "y", "b": True, "k": 1, "c": 0}) == {"a", "k"}
    for config in space.sample(np.random.default_rng(0), 200):
        space.check(config)
        expected = config["a"] == "x" and config["b"] is True and 1 <= config["k"] <= 2
        assert ("c" in config) == expected


def test_a_wrong_parent_leaves_its_children_undecided():
    space = Space({"a": Choice(["x", "y"]), "b": Int(0, 3, when={"a": "x"})})
    for config in ({"a": "z", "b": 1}, {"a": "z"}):
        with pytest.raises(SpaceError) as caught:
            space.check(config)
        assert [p.split(":")[0] for p in caught.value.problems] == ["a"]
    with pytest.raises(SpaceError, match="b: 9 lies outside") as caught:
        space.check({"a": "z", "b": 9})
    assert len(caught.value.problems) == 2


def test_conditions_can_be_read():
    when = Float(0, 1, when={"optimizer": ["sgd", "muon"], "layers": (4, 8)}).when
    assert when == (Condition("optimizer", ("sgd", "muon")), Condition("layers", range=(4, 8)))
    assert [str(c) for c in when] == ["optimizer = sgd | muon", "layers in 4..8"]


def test_one_parent_cannot_stand_twice():
    twice = Float(0, 1, when=[Condition("k", (1,)), Condition("k", (2,))])
    with pytest.raises(SpaceError, match="x: when: 'k' stands twice"):
        Space({"k": Int(0, 3), "x": twice})
