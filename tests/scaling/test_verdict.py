"""Trust where it is due, and never on spoiled input."""

import math

import numpy as np
import pytest

from maquette.scaling import fit
from maquette.scaling.verdict import Finding, judge
from tests.scaling import families as fam

AT = {"s0": 4e6, "s1": 8e6}


def table_of(seed=0, runs=140, kind="own"):
    rng = np.random.default_rng(seed)
    w = fam.world(kind, rng, raw=0.6)
    scales = fam.lattice(2, (3, 3), (0.7, 0.7))
    x, s = fam.scattered(w, scales, runs, rng, 3.0)
    u = x - w.centre - s @ w.drift
    return {k: np.asarray(v) for k, v in w.table(x, s, rng).items()}, u


def verdict(table, at=AT):
    return fit(table, ["x0", "x1"], ["s0", "s1"], "loss").recipe(**at).verdict


def test_healthy_tables_are_mostly_trusted():
    levels = [verdict(table_of(seed)[0]).level for seed in range(10)]
    assert levels.count("trust") >= 7
    assert "do-not-trust" not in levels


def spoil(name, table, u, rng):
    n, loss = len(u), table["loss"]
    if name == "one width":
        keep = table["s0"] == table["s0"].min()
    elif name == "edge above":
        keep = u[:, 0] < 0
    elif name == "edge below":
        keep = u[:, 1] > 0
    else:
        keep = np.ones(n, bool)
    spoiled = {
        "shuffled": {"loss": rng.permutation(loss)},
        "half diverged": {"loss": np.where(rng.random(n) < 0.5, math.nan, loss)},
        "two units in a scale": {"s1": table["s1"] * np.where(rng.random(n) < 0.5, 1e9, 1.0)},
        "two units in a setting": {"x0": table["x0"] * np.where(rng.random(n) < 0.5, 1e9, 1.0)},
        "two units in the loss": {"loss": loss * np.where(rng.random(n) < 0.5, 1e9, 1.0)},
        "duplicates": {k: np.resize(v[:6], n) for k, v in table.items()},
    }.get(name, {})
    return {k: v[keep] for k, v in (table | spoiled).items()}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("one width", "one value"),
        ("edge above", "edge of range"),
        ("edge below", "edge of range"),
        ("shuffled", "unexplained"),
        ("half diverged", "diverged"),
        ("two units in a scale", "two populations"),
        ("two units in a setting", "two populations"),
        ("two units in the loss", "two populations"),
        ("duplicates", "few configs"),
    ],
)
def test_spoiled_tables_are_not_trusted_and_say_why(name, code):
    for seed in (0, 1, 2):
        table, u = table_of(seed)
        got = verdict(spoil(name, table, u, np.random.default_rng(seed)))
        assert got.level == "do-not-trust"
        assert code in got.codes
        assert all("run" in r or "unit" in r for r in got.reasons[: len(got.codes)])


@pytest.mark.parametrize("at", [AT | {"s1": 8e-3}, AT | {"s0": 4e15}])
def test_targets_in_another_unit(at):
    got = verdict(table_of()[0], at)
    assert got.level == "do-not-trust"
    assert "extrapolation" in got.codes
    assert any("check its unit" in r for r in got.reasons)


def test_levels_follow_expected_regret_and_findings():
    note = Finding("x", "caution", "something; run more")
    assert judge(0.001, []).level == "trust"
    assert judge(0.005, []).level == "caution"
    assert judge(0.02, []).level == "do-not-trust"
    assert judge(0.001, [note]).level == "caution"
    assert judge(0.001, [note]).reasons[0] == note.reason
    grave = Finding("y", "do-not-trust", "worse; run other")
    assert judge(0.005, [note, grave]).reasons[:2] == (grave.reason, note.reason)
