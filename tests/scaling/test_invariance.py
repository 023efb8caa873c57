"""Units, order, duplicates, names and constant columns change nothing."""

from dataclasses import replace

import numpy as np
import pytest

from maquette.scaling import fit
from tests.scaling import families as fam

TARGET = {"s0": 4e6, "s1": 1.2e7}


def healthy(seed=0, runs=90, noise_kind="own"):
    rng = np.random.default_rng(seed)
    w = fam.world(noise_kind, rng)
    scales = fam.lattice(2, (2, 3), (0.7, 0.7))
    x, s = fam.scattered(w, scales, runs, rng, 3.0)
    return w, w.table(x, s, rng)


@pytest.fixture(scope="module")
def table():
    return healthy()[1]


@pytest.fixture(scope="module")
def reference(table):
    return recipe_of(table)


def recipe_of(table, names=("x0", "x1"), scale=("s0", "s1"), loss="loss", at=None, **kw):
    return fit(table, settings=list(names), scale=list(scale), loss=loss, **kw).recipe(
        **(at or TARGET)
    )


def same(a, b, lr=1.0, loss=1.0, names=("x0", "x1")):
    for mine, theirs in zip(("x0", "x1"), names, strict=True):
        unit = lr if mine == "x0" else 1.0
        assert b.config[theirs] == pytest.approx(unit * a.config[mine], rel=1e-6)
        assert b.interval[theirs] == pytest.approx(
            tuple(unit * v for v in a.interval[mine]), rel=1e-6
        )
    assert b.loss.mean == pytest.approx(loss * a.loss.mean, rel=1e-6)
    assert b.loss.high == pytest.approx(loss * a.loss.high, rel=1e-6)
    assert b.regret == pytest.approx(a.regret, rel=1e-5)
    assert b.verdict.level == a.verdict.level
    assert b.verdict.codes == a.verdict.codes


def test_units_of_every_column(table, reference):
    other = table | {
        "x0": [1e3 * v for v in table["x0"]],
        "s0": [v / 1e9 for v in table["s0"]],
        "loss": [7.0 * v for v in table["loss"]],
    }
    got = recipe_of(other, at={"s0": TARGET["s0"] / 1e9, "s1": TARGET["s1"]})
    same(reference, got, lr=1e3, loss=7.0)


def test_order_of_rows(table, reference):
    order = np.random.default_rng(1).permutation(len(table["loss"]))
    same(reference, recipe_of({k: [v[i] for i in order] for k, v in table.items()}))


def test_exact_duplicates(table, reference):
    again = {k: [*v, *v[:30], *v[:30]] for k, v in table.items()}
    same(reference, recipe_of(again))


def test_names(table, reference):
    renamed = {"zz": table["x0"], "b": table["x1"], "D": table["s0"], "lr": table["s1"]}
    renamed["y"] = table["loss"]
    got = recipe_of(
        renamed, ("zz", "b"), ("D", "lr"), "y", at={"D": TARGET["s0"], "lr": TARGET["s1"]}
    )
    same(reference, got, names=("zz", "b"))


def test_constant_columns(table, reference):
    n = len(table["loss"])
    more = table | {"rule": ["mup"] * n, "heads": [8] * n}
    got = recipe_of(more, ("x0", "x1", "rule"), ("s0", "heads", "s1"))
    same(reference, got)
    assert got.config["rule"] == "mup"


def test_a_constant_setting_adds_its_finding_and_nothing_else(table, reference):
    more = table | {"beta": [0.9] * len(table["loss"])}
    got = recipe_of(more, ("x0", "beta", "x1"))
    assert got.config["beta"] == 0.9
    codes = tuple(c for c in got.verdict.codes if c != "one value of a setting")
    assert len(codes) == len(got.verdict.codes) - 1
    level = reference.verdict.level
    same(reference, replace(got, verdict=replace(got.verdict, level=level, codes=codes)))


def test_form_of_the_table(table, reference):
    pandas = pytest.importorskip("pandas")
    same(reference, recipe_of(pandas.DataFrame(table)))
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    same(reference, recipe_of(rows))
    same(reference, recipe_of({k: np.asarray(v) for k, v in table.items()}))
