"""Bodies as JSON text: strict, compact, and back without loss."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import StoreError
from maquette.events import BudgetChanged, Ended, Proposed, Reported, Requeued, Started, kind_of
from maquette.store import codec
from maquette.trial import State

TEXT = st.text() | st.sampled_from(["$", "nan", '"$"', "\x00", "\ud83d\ude00"])
TEXT = TEXT.map(lambda text: text.encode("utf-8", "ignore").decode())
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def _forbid(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@given(VALUES)
def test_values_come_back(value: Any) -> None:
    text = codec.dumps(value)
    assert text.isascii()
    json.loads(text, parse_constant=_forbid)
    assert repr(codec.loads(text)) == repr(value)
    assert [repr(v) for v in codec.loads_all([text, "1", text])] == [repr(value), "1", repr(value)]


@given(
    st.dictionaries(TEXT, VALUES, max_size=4),
    st.floats(),
    st.dictionaries(TEXT, st.floats(), max_size=3),
    st.lists(TEXT, max_size=2).map(tuple),
    st.booleans(),
)
def test_bodies_come_back(
    config: dict[str, Any], number: float, why: dict[str, float], start: tuple[str, ...], flag: bool
) -> None:
    for body in (
        Proposed(3, 4, config, why, why, flag, number, start, flag, "x", why, 5),
        Proposed(3, 4, None),
        Reported(3, 4, number, why, None if flag else number, number),
        Ended(3, 4, State.DONE, why, number, number, "".join(start)),
        BudgetChanged(None, number, number, 3),
    ):
        assert repr(codec.copied(body)) == repr(body)


@given(
    st.dictionaries(
        TEXT,
        VALUES | st.just(np.float64(0.1)) | st.just(np.int64(3)) | st.just(State.OOM),
        max_size=4,
    ),
    st.none() | TEXT | st.integers() | st.just("half of a pair: \ud83d"),
    st.sampled_from([(), ("a",), ("a", "\u00e9")]),
)
def test_a_copy_is_what_json_gives_back(
    given: dict[Any, Any], instance: Any, start: tuple[str, ...]
) -> None:
    """The short way for plain bodies agrees with the long one, in types too, and shares nothing."""
    for body in (
        Proposed(3, 4, given, {}, {}, instance, 1.0, start),
        Ended(3, 4, State.DONE, {str(instance): 1.0}, None, 2.0, str(instance)),
        Started(3, 4, str(instance), 1),
        Requeued(3, 4),
    ):
        try:
            text = codec.encode(body)
        except StoreError:
            with pytest.raises(StoreError):
                codec.copied(body)
            continue
        copy = codec.copied(body)
        assert repr(copy) == repr(codec.decode(kind_of(body), 3, 4, codec.loads(text)))
        if isinstance(copy, Proposed):
            assert copy.config is not given


def test_a_plain_trial_is_small() -> None:
    proposed = codec.encode(Proposed(123, 123, {"lr": 0.001}, origin="sobol", basis=7))
    assert proposed == '{"config":{"lr":0.001},"origin":"sobol","basis":7}'
    assert codec.encode(Ended(1, 1, State.DONE, {"loss": 0.5})) == (
        '{"state":"done","metrics":{"loss":0.5}}'
    )


def test_numbers_of_numpy_are_numbers() -> None:
    value = {
        "f": np.float64(0.1),
        "single": np.float32(0.5),
        "i": np.int64(3),
        "b": np.bool_(True),
        "nan": np.float32("nan"),
    }
    back = codec.loads(codec.dumps(value))
    assert {k: type(v) for k, v in back.items()} == {
        "f": float,
        "single": float,
        "i": int,
        "b": bool,
        "nan": float,
    }
    assert (back["f"], back["single"], back["i"], back["b"]) == (0.1, 0.5, 3, True)
    assert math.isnan(back["nan"])


def test_half_a_character_becomes_a_question_mark() -> None:
    assert codec.loads(codec.dumps({"log \udc80": "\ud800x"})) == {"log ?": "?x"}


def test_what_json_cannot_say_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for value in (object(), {"x": {1, 2}}, b"bytes", np.zeros(3), loop, {"n": math.nan, "o": len}):
        with pytest.raises(StoreError, match="cannot be stored"):
            codec.dumps(value)


@pytest.mark.parametrize("text", ["", "{", "nope", '{"$":"zero"}', '{"$":3}'])
def test_what_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(StoreError):
        codec.loads(text)


@pytest.mark.parametrize(
    ("kind", "data"),
    [("sung", {}), ("ended", {"state": "sleepy"}), ("ended", {}), ("reported", {"no": 1})],
)
def test_bodies_that_do_not_fit_are_refused(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        codec.decode(kind, 1, 1, data)


def test_kinds_have_names() -> None:
    assert kind_of(BudgetChanged()) == "budget"
