"""Whatever stands in a sweep file, it is read, or refused with the key of each mistake."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import tomlkit
from hypothesis import strategies as st

from maquette.errors import SweepError
from maquette.sweep import command, read_sweep
from maquette.sweep.file import KEYS

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-3, 10**19),
    st.floats(width=32),
    st.sampled_from(["", "lr", "loss", "json", "asha", "promote", "{lr} {", "4h", "(?P<step>1)"]),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=5),
    st.dates(),
)
NAMES = st.sampled_from(
    [
        *command.KEYS,
        *("lr", "seed", "proxies", "constraints", "float", "int", "choice", "default", "when"),
        *("minimize", "cost", "tune", "test", "trials", "seconds", "file", "loss", "name", "eta"),
        *("mode", "log", "prior", "steps", "width", "a b"),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
SOUND: dict[str, Any] = {
    "space": {"lr": {"float": [0.1, 1.0]}},
    "trial": {"command": "python3 {lr}"},
}


FULL: dict[str, Any] = {
    "name": "full",
    "seed": 1,
    "workers": 1,
    "store": "a.db",
    "budget": {"trials": 3, "seconds": "4h", "cost": 5.0},
    "searcher": {"name": "gp", "initial": 5},
    "scheduler": {"name": "asha", "eta": 3, "mode": "stop", "brackets": 1},
    "space": {
        "lr": {"float": [0.1, 1.0], "log": True, "default": 0.2, "prior": [0.2, 2.0]},
        "opt": {"choice": ["a", "b"], "default": "a"},
        "beta": {"int": [1, 3], "when": {"opt": "a"}},
        "constraints": ["lr <= 1"],
    },
    "scale": {"width": [8, 64], "proxies": [{"width": 8}, {"width": 16}]},
    "objective": {"minimize": ["loss"], "constraints": {"mem": "<= 3"}, "cost": "flops"},
    "fidelity": {"steps": [1, 9]},
    "instances": {"tune": [1, 2], "test": [3]},
    "trial": {
        "command": ["python3", "{lr}", "{opt}", "{beta}", "{width}", "{instance}"],
        "result": {"loss": "(?P<step>.) (.)", "mem": "(.)", "flops": "(.)"},
        "env": {"A": "{steps}"},
        "gpus": 0,
        "timeout": "4h",
        "grace": 3,
    },
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where every part of a document is."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [path] * bool(path) + [p for key, item in items for p in paths(item, (*path, key))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def is_read_or_refused(document: dict[str, Any]) -> bool:
    """Return whether it is read; anything but a SweepError passes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.toml"
        path.write_text(tomlkit.dumps(document), encoding="utf-8")
        try:
            return bool(read_sweep(path).program.words)
        except SweepError:
            return False


def test_the_full_document_is_sound() -> None:
    assert is_read_or_refused(FULL)


@hypothesis.given(st.sampled_from(paths(FULL)), VALUES)
@hypothesis.settings(max_examples=400)
def test_a_full_document_with_one_part_replaced(path: tuple[Any, ...], value: Any) -> None:
    is_read_or_refused(replaced(FULL, path, value))


@hypothesis.given(
    st.dictionaries(st.sampled_from([*KEYS, "nmae"]), VALUES, max_size=6),
    st.dictionaries(st.sampled_from(command.KEYS), VALUES, max_size=3),
)
@hypothesis.settings(max_examples=300)
def test_any_document_is_read_or_refused(changed: dict[str, Any], trial: dict[str, Any]) -> None:
    document = {**SOUND, "trial": {**SOUND["trial"], **trial}, **changed}
    is_read_or_refused(document)
