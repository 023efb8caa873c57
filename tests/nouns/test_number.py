"""Numbers of every library, and how JSON writes them."""

import numpy as np

from maquette.number import json_ready


def test_json_has_no_nan_and_no_numpy() -> None:
    value = {"a": float("nan"), "b": (np.float64(1.5), [np.int64(2), float("inf")]), 3: None}
    assert json_ready(value) == {"a": None, "b": [1.5, [2, None]], "3": None}


def test_floats_keep_the_digits_asked_for() -> None:
    assert json_ready([1 / 3, 123456789, np.float32(2.0)], digits=3) == [0.333, 123456789, 2.0]
