"""Overrides for other trainers match each parameter once, with the plan's factors."""

from __future__ import annotations

import fnmatch
import re
from types import SimpleNamespace

import pytest
import torch

from maquette.errors import PlanError
from maquette.nn import plan
from tests.nn import architectures as nets


@pytest.fixture(scope="module")
def example():
    return plan(nets.GroupedQuery, {"width": 16, "depth": 2}, {"width": 64, "depth": 4})


def decay(p):
    return 0.0 if p.role in ("vector", "scalar") else p.weight_decay


def first(overrides, name):
    (found,) = [settings for pattern, *settings in overrides if re.search(pattern, name)]
    return found


def titan(text):
    names = {"ParamGroupConfig": SimpleNamespace}
    exec(text, names)
    return [(g.pattern, g.optimizer_name, g.optimizer_kwargs) for g in names["param_groups"]]


def test_torchtitan(example):
    rows = titan(example.to_regex("torchtitan", lr=0.01, weight_decay=0.1))
    for name, p in example.parameters.items():
        optimizer, kwargs = first(rows, name)
        assert optimizer == "AdamW"
        assert kwargs["lr"] == pytest.approx(0.01 * p.lr)
        assert kwargs["weight_decay"] == pytest.approx(0.1 * decay(p))
        assert kwargs["eps"] == pytest.approx(1e-8 * p.eps)
    assert "blocks.17.up.weight" not in example.parameters
    assert first(rows, "blocks.17.up.weight")[1]["lr"] == pytest.approx(0.01 / 4)
    torch.optim.AdamW([{"params": [torch.zeros(2)], **kwargs} for _, _, kwargs in rows])
    with pytest.raises(PlanError, match="pass lr="):
        example.to_regex("torchtitan")


def test_torchtitan_steps_matrices_by_muon_and_the_rest_by_adamw():
    base, target = {"width": 16, "depth": 2}, {"width": 64, "depth": 2}
    p = plan(nets.GroupedQuery, base, target, optimizer="muon")
    rows = titan(p.to_regex("torchtitan", lr=0.02))
    for name, row in p.parameters.items():
        optimizer, kwargs = first(rows, name)
        assert optimizer.lower() == row.optimizer
        assert kwargs["lr"] == pytest.approx(0.02 * row.lr)
    matrices = [kwargs for _, optimizer, kwargs in rows if optimizer == "Muon"]
    torch.optim.Muon([{"params": [torch.zeros(2, 2)], **kwargs} for kwargs in matrices])
    with pytest.raises(PlanError, match="Adam, AdamW, Muon, not lion"):
        plan(nets.Tied, {"width": 16}, {"width": 32}, optimizer="lion").to_regex("torchtitan", lr=1)


def test_nemo(example):
    rows = re.findall(
        r"- pattern: '(.*)'\n +lr_mult: (\S+)\n +wd_mult: (\S+)", example.to_regex("nemo")
    )
    for name, p in example.parameters.items():
        assert [float(x) for x in first(rows, name)] == pytest.approx([p.lr, decay(p)])


def test_megatron(example):
    names = {"ParamKey": lambda name: name}
    exec(example.to_regex("megatron", lr=0.01), names)
    for name, p in example.parameters.items():
        (got,) = [
            v
            for globs, v in names["config_overrides"].items()
            if any(fnmatch.fnmatch(name, g) for g in globs)
        ]
        assert got["max_lr"] == pytest.approx(0.01 * p.lr)
        assert got["wd_mult"] == pytest.approx(decay(p))
        assert got["eps"] == pytest.approx(1e-8 * p.eps)
    with pytest.raises(PlanError, match="pass lr="):
        example.to_regex("megatron")


def test_a_form_that_is_not_known(example):
    with pytest.raises(PlanError, match="Did you mean 'torchtitan'"):
        example.to_regex("torchtitn")
