"""What holds in every space: encoding, decoding, keys and texts return what went in."""

import copy
import json
import pickle
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.space import Choice, Float, Int, Space

from .strategies import spaces, spaces_and_configs


@given(spaces_and_configs())
def test_sampled_configs_belong_and_survive_encoding(drawn):
    space, configs = drawn
    for config in configs:
        space.check(config)
        row, mask = space.encode(config)
        assert ((row >= 0) & (row <= 1)).all()
        assert [n for n, on in zip(space.names, mask, strict=True) if on] == list(config)
        back = space.decode(row, mask)
        assert back == config
        assert list(map(type, back.values())) == list(map(type, config.values()))
        assert space.key(back) == space.key(config)


@given(spaces_and_configs(count=5))
def test_encoding_many_equals_encoding_each(drawn):
    space, configs = drawn
    rows, masks = space.encode_many(configs)
    for config, row, mask in zip(configs, rows, masks, strict=True):
        one, active = space.encode(config)
        np.testing.assert_array_equal(one, row)
        np.testing.assert_array_equal(active, mask)


@given(spaces(), st.integers(0, 2**32))
def test_every_point_of_the_cube_decodes_to_a_config(space, seed):
    unit = np.random.default_rng(seed).random((8, space.dimensions))
    unit[0], unit[1] = 0.0, 1.0
    for config in space.from_unit(unit):
        space.check(config)


@given(spaces(constrained=False), st.integers(0, 2**32))
def test_projection_is_decoding_then_encoding(space, seed):
    unit = np.random.default_rng(seed).random((8, space.dimensions))
    rows, masks = space.project(unit)
    configs = space.from_unit(unit)
    np.testing.assert_array_equal(masks, space.encode_many(configs)[1])
    assert space.from_unit(rows) == configs


@given(spaces())
def test_inactive_columns_stand_at_their_default(space):
    everywhere = Space({n: _unconditional(p) for n, p in space.items()})
    default = everywhere.encode(everywhere.defaults())[0]
    for config in space.sample(np.random.default_rng(0), 4):
        row, mask = space.encode(config)
        np.testing.assert_allclose(row[~mask], default[~mask], atol=1e-12)


def _unconditional(p):
    if isinstance(p, Choice):
        return Choice(p.values, default=p.default)
    return type(p)(p.low, p.high, log=p.log, default=p.default)


@given(spaces())
def test_defaults_belong(space):
    space.check(space.defaults())


@given(spaces())
def test_texts_return_the_space(space):
    assert Space.from_json(space.to_json()) == space
    assert Space.from_json(json.loads(json.dumps(space.to_json()))) == space
    assert Space.from_toml(space.to_toml()) == space
    assert hash(Space.from_toml(space.to_toml())) == hash(space)


@given(spaces())
def test_a_space_can_be_copied_and_sent_to_a_process(space):
    for other in (
        copy.deepcopy(space),
        pickle.loads(pickle.dumps(space)),
        Space(space, space.constraints),
    ):
        assert other == space
        assert other.defaults() == space.defaults()


@given(spaces())
def test_repr_of_each_parameter_is_its_source(space):
    source = {"Float": Float, "Int": Int, "Choice": Choice}
    again = {n: eval(repr(p), source) for n, p in space.items()}
    assert Space(again, space.constraints) == space


@given(spaces_and_configs(), st.randoms(use_true_random=False))
def test_keys_ignore_order_and_representation(drawn, shuffler: random.Random):
    space, configs = drawn
    for config in configs:
        items = list(config.items())
        shuffler.shuffle(items)
        assert space.key(dict(items)) == space.key(config)
        loose = {n: _loosely(space[n], v) for n, v in items}
        assert space.key(loose) == space.key(config)
        assert space.normalise(loose) == config
        assert json.loads(space.key(config)).keys() == config.keys()


def _loosely(parameter, value):
    if isinstance(parameter, Int):
        return np.float64(value)
    return np.float64(value) if isinstance(parameter, Float) else value


@given(spaces_and_configs(count=40))
def test_different_configs_have_different_keys(drawn):
    space, configs = drawn
    distinct = {repr(sorted(c.items(), key=lambda item: item[0])) for c in configs}
    assert len({space.key(c) for c in configs}) == len(distinct)


@given(st.data())
@settings(max_examples=200)
def test_any_float_returns_to_twelve_digits_and_within_bounds(data):
    log = data.draw(st.booleans())
    magnitude = st.floats(1e-290, 1e290) if log else st.floats(-1e290, 1e290)
    low, high = sorted(x + 0.0 for x in data.draw(st.tuples(magnitude, magnitude)))
    value = data.draw(st.floats(low, high))
    space = Space({"x": Float(low, high, log=log)})
    back = space.decode(*space.encode({"x": value}))["x"]
    assert low <= back <= high
    # Where a range crosses zero, a coordinate resolves the range and not the value.
    reference = max(abs(value), 0.0 if low >= 0 else 0.1 * max(abs(low), abs(high)))
    assert abs(back - value) <= 1e-12 * reference
    if high - low <= 1e-12 * abs(high):
        return  # neighbouring floats share a coordinate
    ends = [space.decode(*space.encode({"x": end}))["x"] for end in (low, high)]
    assert ends == [low, high]


@pytest.mark.parametrize(
    ("low", "log"),
    [(1, True), (7, True), (2**39, True), (1, False), (-5, False), (-(2**40), False)],
)
@pytest.mark.parametrize("count", [1, 2, 3, 1000, 2**20, 2**41])
def test_large_integers_return_exactly(low, count, log):
    space = Space({"k": Int(low, low + count - 1, log=log)})
    rng = np.random.default_rng(0)
    picks = [low, low + count - 1, low + count // 2, *(low + rng.integers(0, count, 50)).tolist()]
    configs = [{"k": k} for k in picks]
    assert space.from_unit(space.encode_many(configs)[0]) == configs


def test_integers_and_choices_sit_in_the_middle_of_equal_cells():
    space = Space({"k": Int(3, 6), "c": Choice(["a", "b", "c"])})
    rows, _ = space.encode_many([{"k": 3 + i, "c": "abc"[i]} for i in range(3)])
    np.testing.assert_allclose(rows[:, 0], [0.125, 0.375, 0.625])
    np.testing.assert_allclose(rows[:, 1], [1 / 6, 3 / 6, 5 / 6])
    fine = (np.arange(1200) + 0.5) / 1200
    decoded = space.from_unit(np.column_stack([fine, fine]))
    assert [sum(c["k"] == k for c in decoded) for k in range(3, 7)] == [300] * 4
    assert [sum(c["c"] == v for c in decoded) for v in "abc"] == [400] * 3


def test_log_integers_have_log_cells():
    space = Space({"k": Int(1, 1000, log=True)})
    decades = [c["k"] for c in space.from_unit(np.linspace(0, 1, 3001)[:, None])]
    below = np.mean(np.array(decades) <= 31)
    assert below == pytest.approx(np.log(31.5 / 0.5) / np.log(1000.5 / 0.5), abs=1e-3)
