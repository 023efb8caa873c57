"""Spaces as JSON, TOML and tables, and the comparison of two versions."""

import json
import tomllib

import pytest
from hypothesis import given

from maquette.errors import SpaceError
from maquette.space import Choice, Float, Int, Space

from .strategies import spaces

SWEEP = """
name = "gpt"
[space]
lr = { float = [1e-4, 1e-1], log = true, prior = [1e-2, 3] }
layers = { int = [2, 8], default = 4 }
optimizer = { choice = ["adamw", "muon", "sgd"], prior = [2, 1, 1] }
clip = { choice = [1.0, { none = true }], default = { none = true } }
momentum = { float = [0.8, 0.99], when = { optimizer = "sgd", layers = { range = [4, 8] } } }
beta = { float = [0.8, 0.99], when = { optimizer = ["adamw", "muon"] } }
constraints = ["lr * layers <= 0.5"]
[scale]
width = [256, 4096]
"""
SPACE = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True, prior=(1e-2, 3)),
        "layers": Int(2, 8, default=4),
        "optimizer": Choice(["adamw", "muon", "sgd"], prior=[2, 1, 1]),
        "clip": Choice([1.0, None], default=None),
        "momentum": Float(0.8, 0.99, when={"optimizer": "sgd", "layers": (4, 8)}),
        "beta": Float(0.8, 0.99, when={"optimizer": ["adamw", "muon"]}),
    },
    ["lr * layers <= 0.5"],
)


def problems(read, source):
    with pytest.raises(SpaceError) as caught:
        read(source)
    return list(caught.value.problems)


def test_a_sweep_file_is_read():
    assert Space.from_toml(SWEEP) == SPACE
    assert Space.from_toml(tomllib.loads(SWEEP)) == SPACE
    assert Space.from_toml(tomllib.loads(SWEEP)["space"]) == SPACE


def test_a_parameter_may_be_called_space():
    space = Space({"space": Int(1, 3), "x": Float(0, 1)})
    assert Space.from_toml(space.to_json()["parameters"]) == space
    assert Space.from_toml(space.to_toml()) == space


def test_the_written_toml_is_a_table_of_inline_tables():
    written = SPACE.to_toml()
    lines = written.splitlines()
    assert lines[0] == "[space]"
    assert "layers = {int = [2, 8], default = 4}" in lines
    assert 'constraints = ["lr * layers <= 0.5"]' in lines


def test_json_is_plain():
    document = SPACE.to_json()
    assert json.loads(json.dumps(document)) == document
    assert document["parameters"]["momentum"] == {
        "float": [0.8, 0.99],
        "when": {"optimizer": "sgd", "layers": {"range": [4, 8]}},
    }
    assert document["constraints"] == ["lr * layers <= 0.5"]


def test_every_mistake_of_a_file_is_named_by_its_key():
    text = """
    [space]
    lr = { flaot = [1, 2] }
    x = { float = [2, 1] }
    y = { int = [1, 2, 3], lgo = true }
    z = 3
    w = { choice = ["a"], log = true }
    v = { int = [0, 1], choice = [1] }
    u = { float = [1, 2], when = { lr = 1 } }
    t = { choice = "abc" }
    constraints = ["lr < 1", "q < 2"]
    """
    form = "{ float = [low, high] }, { int = [low, high] } or { choice = [...] }"
    assert sorted(problems(Space.from_toml, text)) == sorted(
        [
            f"space.lr: says neither float, int nor choice; write {form}",
            "space.lr: unknown key 'flaot'. Did you mean 'float'?",
            "space.x: low 2 is above high 1; swap them",
            "space.y: unknown key 'lgo'. Did you mean 'log'?",
            "space.y: int must be [low, high], not [1, 2, 3]",
            f"space.z: must be a table such as {form}, not 3",
            "space.w: unknown key 'log'. Valid: choice, default, prior, when.",
            f"space.v: has both int and choice; write {form}",
            "space.t: choice must be a list, not 'abc'",
            "constraint 'q < 2': unknown parameter 'q'. Valid: x, u.",
        ]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = [", "this is not TOML: "),
        ("space = 3", "space: must be a table of parameters, not 3"),
        ("[space]", "a space needs at least one parameter"),
        ("x = { int = [1, 2] }\nconstraints = 'x < 1'", "constraints must be a list of texts"),
    ],
)
def test_a_file_without_a_space_is_refused(text, message):
    assert problems(Space.from_toml, text)[0].startswith(message)


@pytest.mark.parametrize("document", [3, None, [], {}, {"lr": {"float": [0, 1]}}])
def test_other_json_is_refused(document):
    message = "a space in JSON is an object with 'parameters'"
    assert problems(Space.from_json, document)[0].startswith(message)


def test_json_mistakes_are_named():
    document = {"parameters": {"a": {"int": [3, 1]}, "b": {"float": [0, "x"]}, "c": None}}
    found = problems(Space.from_json, document)
    assert [p.split(":")[0] for p in found] == ["c", "a", "b"]


def test_fifty_parameters_print_as_an_aligned_table():
    parameters = {f"layer{i}/lr": Float(1e-5, 10**-i, log=True) for i in range(1, 5)}
    parameters |= {f"width{i}": Int(16, 4096, log=True, default=64) for i in range(43)}
    parameters |= {
        "optimizer": Choice(["adamw", "sgd"]),
        "letters": Choice([chr(97 + i) * 9 for i in range(26)]),
        "momentum": Float(0.8, 0.99, when={"optimizer": "sgd", "width0": (16, 64)}),
    }
    text = str(Space(parameters, ["width0 * width1 <= 1e5"]))
    lines = text.splitlines()
    assert lines[0] == "Space of 50 parameters"
    assert lines[1].split() == ["name", "kind", "range", "scale", "default", "when"]
    assert len(lines) == 2 + 50 + 2
    assert max(map(len, lines)) <= 120
    for title in ("kind", "range", "scale", "default", "when"):
        column = lines[1].index(title)
        assert all(line[column - 1] == " " for line in lines[2:52] if len(line) > column)
    assert lines[2].split() == ["layer1/lr", "float", "1e-05", "..", "0.1", "log", "0.001"]
    assert lines[49].split() == ["optimizer", "choice", "adamw", "|", "sgd", "adamw"]
    assert "(26 values)" in lines[50]
    assert lines[51].endswith("optimizer = sgd and width0 in 16..64")
    assert lines[52:] == ["subject to", "  width0 * width1 <= 1e5"]


def test_a_plain_space_prints_without_empty_columns():
    assert str(Space({"x": Choice(["a", True, None])})) == (
        "Space of 1 parameter\n"
        "  name  kind    range            default\n"
        "  x     choice  a | true | none  a"
    )


def test_html_is_escaped():
    page = Space({"<b>": Choice(["<i>", "&"])}, ["`<b>` != '&'"])._repr_html_()
    assert "<b>" not in page
    assert "<td>&lt;b&gt;</td>" in page
    assert "<code>`&lt;b&gt;` != &#x27;&amp;&#x27;</code>" in page


OLD = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "layers": Int(2, 8),
        "optimizer": Choice(["adamw", "sgd"]),
        "momentum": Float(0.8, 0.99, when={"optimizer": "sgd"}),
    },
    ["lr * layers < 0.5"],
)


def changed(constraints=OLD.constraints, **parameters):
    merged = {**OLD, **parameters}
    return Space({n: p for n, p in merged.items() if p is not None}, constraints)


VERSIONS = {
    "wider range": (
        changed(lr=Float(1e-5, 1e-1, log=True)),
        True,
        ["lr: range [0.0001, 0.1] -> [1e-05, 0.1]"],
    ),
    "narrower range": (changed(layers=Int(3, 8)), False, ["layers: range [2, 8] -> [3, 8]"]),
    "choice added": (
        changed(optimizer=Choice(["adamw", "muon", "sgd"])),
        True,
        ["optimizer: choice muon added"],
    ),
    "choice removed": (
        changed(optimizer=Choice(["sgd"])),
        False,
        ["optimizer: choice adamw removed"],
    ),
    "choices swapped": (
        changed(optimizer=Choice(["sgd", "adamw"], default="adamw")),
        True,
        ["optimizer: choices adamw, sgd -> sgd, adamw", "optimizer: default unset -> adamw"],
    ),
    "added with default": (
        changed(clip=Float(0, 1, default=0.5)),
        True,
        ["clip: added, Float(0.0, 1.0, default=0.5)"],
    ),
    "added without": (changed(clip=Choice(["a"])), False, ["clip: added, Choice(['a'])"]),
    "removed": (changed(momentum=None), False, ["momentum: removed"]),
    "another kind": (
        changed(layers=Float(2, 8)),
        False,
        ["layers: int -> float: [2, 8] -> [2, 8]"],
    ),
    "another scale": (changed(lr=Float(1e-4, 1e-1)), True, ["lr: scale log -> linear"]),
    "a default": (changed(layers=Int(2, 8, default=3)), True, ["layers: default unset -> 3"]),
    "a prior": (changed(layers=Int(2, 8, prior=(4, 1))), True, ["layers: prior none -> (4, 1)"]),
    "no condition": (
        changed(momentum=Float(0.8, 0.99)),
        False,
        ["momentum: when optimizer = sgd -> always"],
    ),
    "no constraint": (changed(()), True, ["constraint removed: lr * layers < 0.5"]),
    "a constraint": (
        changed([*OLD.constraints, "lr < 0.05"]),
        False,
        ["constraint added: lr < 0.05"],
    ),
    "order": (
        Space({n: OLD[n] for n in reversed(OLD.names)}, OLD.constraints),
        True,
        [
            "order: lr, layers, optimizer, momentum -> momentum, optimizer, layers, lr",
        ],
    ),
}


@pytest.mark.parametrize(("new", "wider", "changes"), VERSIONS.values(), ids=VERSIONS.keys())
def test_versions_are_compared(new, wider, changes):
    assert OLD.diff(new) == changes
    assert new.widens(OLD) is wider


@given(spaces())
def test_a_space_does_not_differ_from_itself(space):
    assert space.diff(space) == []
    same = Space(space, space.constraints)
    assert same.widens(space)
    assert space.widens(same)


@given(spaces(), spaces())
def test_a_difference_is_seen(one, other):
    assert (one.diff(other) == []) == (one == other)
