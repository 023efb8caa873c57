"""Every mistake in the declaration of a space, with its message; all of them at once."""

import math

import numpy as np
import pytest

from maquette.errors import MaquetteError, SpaceError
from maquette.space import Choice, Float, Int, Space


def problems(parameters, constraints=()):
    with pytest.raises(SpaceError) as caught:
        Space(parameters, constraints)
    return list(caught.value.problems)


MISTAKES = {
    "reversed": (Float(1e-1, 1e-4), "x: low 0.1 is above high 0.0001; swap them"),
    "reversed int": (Int(8, 2), "x: low 8 is above high 2; swap them"),
    "nan": (Float(math.nan, 1), "x: low must be a finite number, not nan"),
    "infinite": (Float(0, math.inf), "x: high must be a finite number, not inf"),
    "text bound": (Float("0", 1), "x: low must be a finite number, not '0'"),
    "missing bound": (Float(0, None), "x: high must be a finite number, not None"),
    "huge bound": (Float(0, 10**400), "x: high must be a finite number, not 1000"),
    "boolean bound": (Int(False, 3), "x: low must be a whole number, not False"),
    "fraction": (Int(1.5, 3), "x: low must be a whole number, not 1.5"),
    "log of zero": (Float(0, 1, log=True), "x: log=True needs low > 0, not 0"),
    "log of negative": (Int(-2, 1, log=True), "x: log=True needs low > 0, not -2"),
    "log text": (Float(1, 2, log="yes"), "x: log must be True or False, not 'yes'"),
    "default outside": (Float(0, 1, default=2), "x: default 2 lies outside [0, 1]"),
    "default text": (Float(0, 1, default="a"), "x: default must be a finite number, not 'a'"),
    "default fraction": (Int(0, 9, default=2.5), "x: default must be a whole number, not 2.5"),
    "default boolean": (Int(0, 9, default=True), "x: default must be a whole number, not True"),
    "too wide": (Float(-1.7e308, 1.7e308), "x: [-1.7e+308, 1.7e+308] is too wide"),
    "too many": (Int(0, 2**60), "x: [0, 1152921504606846976] holds too many integers"),
    "too large in log": (Int(1, 2**45, log=True), "x: high 35184372088832 is too large"),
    "prior form": (Float(0, 1, prior=0.5), "x: prior must be (mean, standard deviation)"),
    "log prior form": (
        Float(1, 2, log=True, prior=(1,)),
        "x: prior must be (median, factor), two finite numbers, not (1.0,)",
    ),
    "prior outside": (
        Float(0, 1, prior=(2, 1)),
        "x: prior (mean, standard deviation): 2 lies outside [0, 1]",
    ),
    "prior spread": (
        Int(0, 9, prior=(2, 0)),
        "x: prior (mean, standard deviation): the standard deviation must be above 0, not 0",
    ),
    "prior factor": (
        Float(1, 9, log=True, prior=(2, 0.5)),
        "x: prior (median, factor): the factor must be above 1, not 0.5",
    ),
    "no choices": (Choice([]), "x: values is empty: give at least one"),
    "text for choices": (Choice("abc"), "x: values must be a list, not 'abc'"),
    "number for choices": (Choice(3), "x: values must be a list, not 3"),
    "twice": (Choice(["a", "b", "a"]), "x: 'a' stands twice"),
    "one number twice": (Choice([1, 1.0]), "x: 1.0 stands twice"),
    "nested choice": (Choice([[1]]), "x: [1] is not a string, a finite number, a boolean or None"),
    "nan choice": (Choice([math.nan]), "x: nan is not a string, a finite number"),
    "unknown default": (
        Choice(["adamw", "sgd"], default="adam"),
        "x: default 'adam' is not one of the values. Did you mean 'adamw'?",
    ),
    "true is not one": (Choice([1, 2], default=True), "x: default True is not one of the values"),
    "weights": (Choice(["a", "b"], prior=[1]), "x: prior must hold 2 weights, one per value"),
    "negative weight": (Choice(["a", "b"], prior=[1, -1]), "x: prior must hold 2 weights"),
    "zero weights": (Choice(["a", "b"], prior=[0, 0]), "x: prior must hold 2 weights"),
    "itself": (Float(0, 1, when={"x": 0.5}), "x: when: a parameter cannot depend on itself"),
    "no mapping": (Float(0, 1, when="depth"), "x: when must map a parameter's name to its value"),
    "unknown parent": (
        Float(0, 1, when={"dept": 1}),
        "x: when: unknown parameter 'dept'. Did you mean 'depth'?",
    ),
    "parent's type": (
        Float(0, 1, when={"depth": "1"}),
        "x: when depth: must be a whole number, not '1'",
    ),
    "parent's range": (Float(0, 1, when={"depth": [2, 9]}), "x: when depth: 9 lies outside [1, 4]"),
    "parent's choice": (
        Float(0, 1, when={"optimizer": "adam"}),
        "x: when optimizer: 'adam' is not one of the choices. Did you mean 'adamw'?",
    ),
    "disjoint": (
        Float(0, 1, when={"depth": (5, 9)}),
        "x: when depth: range (5, 9) meets none of [1, 4]",
    ),
    "reversed range": (
        Float(0, 1, when={"depth": (3, 2)}),
        "x: when depth: range (3, 2): low is above high; swap them",
    ),
    "no numbers": (
        Float(0, 1, when={"optimizer": (1, 2)}),
        "x: when optimizer: range (1, 2) meets none of adamw, sgd",
    ),
    "never": (Float(0, 1, when={"depth": []}), "x: when depth: give at least one value"),
    "half a range": (
        Float(0, 1, when={"depth": {"range": [2]}}),
        "x: when depth: a range is two finite numbers, not (2,)",
    ),
    "no parameter": ((0, 1), "x: must be Float(low, high), Int(low, high) or Choice(values)"),
}


@pytest.mark.parametrize(("parameter", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named(parameter, message):
    found = problems({"depth": Int(1, 4), "optimizer": Choice(["adamw", "sgd"]), "x": parameter})
    assert len(found) == 1
    assert found[0].startswith(message)


def test_all_mistakes_are_reported_at_once():
    parameters = {f"p{i}": p for i, (p, _) in enumerate(MISTAKES.values())}
    found = problems({**parameters, "depth": Int(1, 4), "optimizer": Choice(["adamw", "sgd"])})
    for i in range(len(MISTAKES)):
        assert any(p.startswith(f"p{i}: ") for p in found), f"p{i} is not named"


@pytest.mark.parametrize("name", ["", "  ", 3, None])
def test_names_are_texts(name):
    assert problems({name: Int(1, 2)}) == [
        f"parameter names must be non-empty strings, not {name!r}"
    ]


def test_the_name_of_the_constraints_is_reserved():
    assert problems({"constraints": Int(1, 2)}) == [
        "constraints: this name is taken by the space's constraints"
    ]


@pytest.mark.parametrize("given", [[("x", 1)], None, "x", 3])
def test_a_space_is_a_mapping(given):
    assert problems(given)[0].startswith("a space is made of a mapping from names to parameters")


def test_an_empty_space_is_refused():
    assert problems({})[0].startswith("a space needs at least one parameter")


def test_a_cycle_is_named_once_along_its_path():
    found = problems(
        {
            "a": Int(0, 3, when={"b": 1}),
            "b": Int(0, 3, when={"c": 1}),
            "c": Int(0, 3, when={"a": 1}),
        }
    )
    assert found == ["when: a -> b -> c -> a is a cycle"]


def test_a_faulty_parent_is_one_problem_not_two():
    found = problems({"a": Int(3, 1), "b": Float(0, 1, when={"a": 9})}, ["a < 2"])
    assert found == ["a: low 3 is above high 1; swap them"]


def test_defaults_that_contradict_the_constraints_are_refused():
    found = problems({"a": Int(0, 3, default=3), "b": Int(0, 3, default=2)}, ["a + b < 4"])
    assert found == ["the defaults: constraint 'a + b < 4' is violated by a=3, b=2"]


def test_numpy_numbers_are_numbers():
    space = Space({"x": Float(np.float64(0), np.int64(1)), "k": Int(np.int32(1), np.float64(3))})
    assert space == Space({"x": Float(0, 1), "k": Int(1, 3)})
    assert [type(v) for p in space.values() for v in (p.low, p.high)] == [float, float, int, int]


def test_one_value_is_a_constant():
    space = Space(
        {"a": Float(2, 2), "b": Float(3, 3, log=True), "c": Int(4, 4), "d": Choice(["e"])}
    )
    config = {"a": 2.0, "b": 3.0, "c": 4, "d": "e"}
    assert space.sample(np.random.default_rng(0), 3) == [config] * 3
    row, mask = space.encode(config)
    np.testing.assert_array_equal(row, 0.5)
    assert mask.all()
    assert space.decode(np.array([0.0, 1.0, 0.0, 1.0])) == config


def test_errors_share_one_root():
    with pytest.raises(MaquetteError):
        Space({"x": Float(1, 0)})


def test_a_space_reads_as_a_mapping():
    space = Space({"x": Float(0, 1), "k": Int(1, 3)})
    assert (len(space), list(space), "x" in space, "y" in space) == (2, ["x", "k"], True, False)
    assert dict(space) == dict(space.items()) == {"x": Float(0, 1), "k": Int(1, 3)}
    assert list(space.keys()) == ["x", "k"]
    assert list(space.values()) == [space["x"], space["k"]]
    with pytest.raises(KeyError, match="unknown parameter 'kk'"):
        space["kk"]


def test_a_space_does_not_change():
    space = Space({"x": Float(0, 1)})
    with pytest.raises(AttributeError):
        space.constraints = ("x < 1",)
    with pytest.raises(AttributeError):
        space["x"].low = 3
    source = {"x": Float(0, 1)}
    copied = Space(source)
    source["y"] = Int(0, 3)
    assert list(copied) == ["x"]


def test_equality_tells_true_from_one_and_heeds_order():
    assert Space({"c": Choice([True, False])}) != Space({"c": Choice([1, 0])})
    a, b = {"x": Float(0, 1)}, {"y": Float(0, 1)}
    assert Space(a | b) != Space(b | a)
    assert Space(a | b) == Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})
    parent = {"c": Choice([True, 1])}
    one, true = (Space(parent | {"x": Float(0, 1, when={"c": v})}) for v in (1, True))
    assert one != true
    assert one["x"] != true["x"]
    assert {one: "one", true: "true"}[one] == "one"


def test_none_can_be_a_choice_and_its_default():
    assert Space({"c": Choice(["a", None])}).defaults() == {"c": "a"}
    assert Space({"c": Choice(["a", None], default=None)}).defaults() == {"c": None}
    assert Space({"c": Choice(["a", "b"], default=None)}).defaults() == {"c": "a"}


def test_text_that_no_store_can_hold_is_refused():
    with pytest.raises(SpaceError, match="UTF-8") as caught:
        Space({"a\ud800": Float(0, 1), "b": Choice(["\udfff", "λ", "🦊"])})
    assert len(caught.value.problems) == 2
