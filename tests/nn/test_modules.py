"""Settings for each kind of module: their space, and what becomes of a config."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import maquette as mq
from maquette.errors import PlanError
from maquette.nn import module_space, param_groups, plan, prepare, with_modules
from tests.nn import architectures as some

BASE = {"width": 32, "depth": 2}


@pytest.fixture(scope="module")
def space():
    return module_space(some.GroupedQuery, mq.Scale(width=(32, 64), depth=(2, 4), batch=(8, 16)))


@pytest.fixture(scope="module")
def worked_out():
    return plan(some.GroupedQuery, BASE, {"width": 64, "depth": 4})


def test_names_are_those_of_modules_without_their_layers(space):
    of_lr = {n for n in space.names if n.startswith("lr")}
    assert of_lr == {
        "lr", "lr/embed", "lr/qkv", "lr/out", "lr/gate", "lr/up", "lr/down", "lr/gains",
        "lr/head", "lr@depth",
    }  # fmt: skip
    assert "weight_decay/gains" not in space
    assert {"init/qkv", "weight_decay@depth", "init"} <= set(space.names)


def test_the_default_is_the_plan_itself(space, worked_out):
    assert with_modules(worked_out, space.defaults()) == worked_out


def test_every_config_applies(space, worked_out):
    for config in space.sample(np.random.default_rng(0), 5):
        tuned = with_modules(worked_out, config)
        assert all(p.lr > 0 and p.init != 0 for p in tuned.parameters.values())


def test_a_type_is_changed_in_every_layer_and_nothing_else(worked_out):
    tuned = with_modules(worked_out, {"lr": 0.1, "lr/qkv": 4.0, "init/down": 0.5})
    for name, p in tuned.parameters.items():
        was = worked_out[name]
        assert p.lr == pytest.approx(was.lr * (4 if "qkv" in name else 1))
        assert p.init == pytest.approx(was.init * (0.5 if "down" in name else 1))
        # How long a weight is remembered does not follow its rate.
        assert p.lr * p.weight_decay == pytest.approx(was.lr * was.weight_decay)


def test_the_profile_runs_from_the_first_layer_to_the_last_at_any_depth(worked_out):
    shallow = plan(some.GroupedQuery, BASE, BASE)
    for given, last in ((shallow, 1), (worked_out, 3)):
        tuned = with_modules(given, {"lr@depth": 4.0})
        ratio = [
            tuned[f"blocks.{i}.qkv.weight"].lr / given[f"blocks.{i}.qkv.weight"].lr
            for i in range(last + 1)
        ]
        assert ratio[0] == pytest.approx(0.5)
        assert ratio[-1] == pytest.approx(2.0)
        assert np.prod(ratio) == pytest.approx(1.0)
        assert tuned["embed.weight"].lr == given["embed.weight"].lr


def test_groups_and_initial_values_follow_the_config(worked_out):
    config = {"lr": 0.01, "weight_decay": 0.1, "lr/head": 2.0, "init/embed": 3.0, "init": 0.5}
    tuned = with_modules(worked_out, config)
    torch.manual_seed(0)
    model = prepare(some.GroupedQuery(64, 4), tuned)
    torch.manual_seed(0)
    plain = prepare(some.GroupedQuery(64, 4), worked_out)
    torch.testing.assert_close(model.embed.weight, 3 * plain.embed.weight)
    torch.testing.assert_close(model.blocks[1].qkv.weight, 0.5 * plain.blocks[1].qkv.weight)
    groups = param_groups(model, tuned, lr=config["lr"], weight_decay=config["weight_decay"])
    mine = next(g for g in groups if any(p is model.head.weight for p in g["params"]))
    assert mine["lr"] == pytest.approx(0.01 * worked_out["head.weight"].lr * 2)


def test_parts_of_a_sequence_are_types_of_their_own():
    found = module_space(
        some.Perceptron, {"width": 16}, tune=("lr",), by=("type",), example=torch.randn(2, 12)
    )
    assert set(found.names) == {"lr", "lr/net.0", "lr/net.2", "lr/net.4", "lr/biases"}
    tuned = with_modules(plan(some.Perceptron, {"width": 16}, {"width": 32},
                              example=torch.randn(2, 12)), {"lr/net.2": 3.0})  # fmt: skip
    assert tuned["net.2.weight"].lr == pytest.approx(3 / 2)
    assert tuned["net.0.weight"].lr == 1


def test_mistakes_are_named():
    with pytest.raises(PlanError, match="Did you mean 'weight_decay'") as raised:
        module_space(some.Tied, {"width": 16}, tune=("wieght_decay",), by=("layer",))
    assert len(raised.value.problems) == 2
    with pytest.raises(PlanError, match="qvk") as raised:
        with_modules(plan(some.GroupedQuery, BASE, BASE), {"lr/qvk": 2.0})
    assert "Did you mean 'qkv'" in str(raised.value)


def test_one_name_alone_is_a_name_and_not_its_letters():
    one = module_space(some.GroupedQuery, BASE, tune="lr", by="depth")
    assert one.names == ("lr", "lr@depth")
    with pytest.raises(PlanError, match="no setting 'rl'"):
        module_space(some.GroupedQuery, BASE, tune="rl")
    with pytest.raises(PlanError, match="names no setting"):
        module_space(some.GroupedQuery, BASE, tune=())
