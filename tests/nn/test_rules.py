"""The tables' exact values, by paper, and what the arithmetic must keep."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import ScaleError
from maquette.nn import plan
from maquette.scaling.parametrization import ROLES, RULES, multipliers, noise
from tests.nn import architectures as nets

# m_N = 4, m_L = 8: (init, lr, weight decay, eps) of each role outside and inside a branch.
EVERETT = {
    "embedding": (1, 1, 1, 1 / 2),
    "hidden": (1 / 2, 1 / 4, 4, 1 / 2),
    "readout": (1 / 2, 1 / 4, 4, 1),
    "tied": (1 / 2, 1 / 4, 4, 1),
    "vector": (None, 1, 1, 1 / 2),
    "scalar": (None, 1, 1, 1),
}
MUP = {
    "embedding": (1, 1, 1, 1 / 4),
    "hidden": (1 / 2, 1 / 4, 4, 1 / 4),
    "readout": (1 / 4, 1 / 4, 4, 1),
    "vector": (None, 1, 1, 1 / 4),
    "scalar": (None, 1, 1, 1),
}
STANDARD = dict.fromkeys(ROLES, (None, 1, 1, 1))


def values(m):
    return (m.init, m.lr, m.weight_decay, m.eps)


@pytest.mark.parametrize(
    ("rule", "expected"), [("auto", EVERETT), ("everett", EVERETT), ("mup", MUP), ("sp", STANDARD)]
)
def test_width(rule, expected):
    got = {role: values(multipliers(RULES[rule], role, width=4)) for role in RULES[rule].width}
    assert got == expected


def test_completep_inside_a_branch():
    # alpha = 1: the rate does not move with depth; epsilon follows the gradient, m_N^-1 m_L^-1.
    m = multipliers(RULES["mup"], "hidden", width=4, depth=8, branch=True)
    assert values(m) == (1 / 2, 1 / 4, 4, 1 / 32)
    # Folded, c = 1/8: lr c, decay / c, eps / c.
    m = multipliers(RULES["mup"], "hidden", width=4, depth=8, branch=True, fold=1 / 8)
    assert values(m) == (1 / 2, 1 / 32, 32, 1 / 4)
    assert m.fold == 1 / 8


def test_completep_with_alpha_one_half():
    half = dataclasses.replace(RULES["mup"], alpha=0.5)
    m = multipliers(half, "hidden", width=4, depth=16, branch=True)
    assert values(m) == (1 / 2, 1 / 16, 4, 1 / 16)
    assert multipliers(half, "vector", width=4, depth=16, branch=True).lr == 1 / 4
    assert multipliers(half, "embedding", width=4, depth=16).lr == 1


@given(
    st.sampled_from(sorted(RULES)),
    st.sampled_from(ROLES),
    st.floats(0.1, 100),
    st.floats(0.1, 100),
    st.floats(0.01, 1),
)
def test_a_weight_shrinks_at_the_rate_it_was_tuned_for(rule, role, m_N, m_L, c):
    if role in RULES[rule].width:
        m = multipliers(RULES[rule], role, width=m_N, depth=m_L, branch=True, fold=c)
        assert m.lr * m.weight_decay == pytest.approx(1)


@given(st.floats(0.1, 100), st.floats(0.1, 100))
def test_batch_and_tokens(m_B, m_D):
    n = noise(m_B, m_D)
    root = math.sqrt(m_B / m_D)
    assert (n.lr, n.weight_decay, n.eps) == pytest.approx((root, root, 1 / root))
    if m_B <= m_D:
        b1, b2 = n.betas((0.9, 0.95))
        assert (1 - b1, 1 - b2) == pytest.approx((0.1 * m_B / m_D, 0.05 * m_B / m_D))


def test_a_batch_that_leaves_no_average_is_an_error():
    with pytest.raises(ScaleError, match="1 - beta would pass 1"):
        noise(16, 1).betas((0.9, 0.95))
    with pytest.raises(ScaleError, match="positive"):
        noise(0, 1)


def test_everett_and_mup_agree_but_for_the_readouts_start_and_epsilon():
    base, target = {"width": 16, "depth": 2}, {"width": 64, "depth": 4}
    p, q = (plan(nets.GroupedQuery, base, target, rule=rule) for rule in ("auto", "mup"))
    for name, row in p.parameters.items():
        assert (row.role, row.lr, row.weight_decay) == (
            q[name].role, q[name].lr, q[name].weight_decay
        )  # fmt: skip
        assert q[name].init == row.init * (1 / 2 if row.role == "readout" else 1)
