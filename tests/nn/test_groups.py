"""Parameter groups and initial values on real models."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from maquette.bench.live.char_transformer.model import build
from maquette.errors import PlanError
from maquette.nn import Plan, keep_ratios, param_groups, plan, prepare
from tests.nn import architectures as nets

BASE, TARGET = {"width": 32, "depth": 2}, {"width": 64, "depth": 4}


@pytest.fixture(scope="module")
def char():
    return plan(build, BASE, TARGET)


def settings_by_name(model, groups):
    names = {id(p): n for n, p in model.named_parameters()}
    return {
        names[id(p)]: tuple(g[k] for k in ("lr", "weight_decay", "eps"))
        for g in groups
        for p in g["params"]
    }


def test_every_parameter_is_in_one_group_with_its_own_settings(char):
    model = prepare(build(**TARGET), char)
    groups = param_groups(model, char, lr=0.01, weight_decay=0.1)
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))
    for name, got in settings_by_name(model, groups).items():
        p = char[name]
        decay = 0 if p.role == "vector" else 0.1 * p.weight_decay
        assert got == pytest.approx((0.01 * p.lr, decay, 1e-8 * p.eps))
    torch.optim.AdamW(groups)  # takes them as they are


def test_groups_are_few_and_named(char):
    groups = param_groups(prepare(build(**TARGET), char), char, lr=0.01, weight_decay=0.1)
    assert [g["name"] for g in groups] == [
        "embedding", "vector", "hidden", "hidden at branch ends", "vector", "readout"
    ]  # fmt: skip


def test_vectors_decay_on_request(char):
    model = prepare(build(**TARGET), char)
    groups = param_groups(model, char, lr=0.01, weight_decay=0.1, decay_vectors=True)
    assert all(g["lr"] * g["weight_decay"] == pytest.approx(0.001) for g in groups)


def test_a_copy_a_wrapper_and_a_plan_read_back_give_the_same_groups(char):
    model = prepare(build(**TARGET), char)
    expected = settings_by_name(model, param_groups(model, char, lr=0.01))
    clone = copy.deepcopy(model)
    again = Plan.from_json(char.to_json())
    assert settings_by_name(clone, param_groups(clone, again, lr=0.01)) == expected
    wrapped = torch.nn.DataParallel(model)  # module.*
    compiled = torch.compile(model, backend="eager")  # _orig_mod.*
    for other in (wrapped, compiled):
        assert next(iter(other.state_dict())) not in expected
        got = param_groups(other, char, lr=0.01)
        assert settings_by_name(model, got) == expected


def test_parallel_exported_and_checkpointed_models_give_the_same_groups(char):
    model = prepare(build(**TARGET), char)
    expected = settings_by_name(model, param_groups(model, char, lr=0.01))
    expected = sorted(expected.values())

    def found(other):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not prepared
            groups = param_groups(other, char, lr=0.01)
        torch.optim.AdamW(groups)
        return sorted(
            tuple(g[k] for k in ("lr", "weight_decay", "eps")) for g in groups for _ in g["params"]
        )

    tokens = torch.zeros(1, 8, dtype=torch.long)
    assert found(torch.export.export(build(**TARGET), (tokens,)).module()) == expected
    wrapped = build(**TARGET)
    wrapped.blocks[0] = checkpoint_wrapper(wrapped.blocks[0])
    assert found(wrapped) == expected
    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    try:
        assert found(DistributedDataParallel(build(**TARGET))) == expected
        sharded, mesh = build(**TARGET), init_device_mesh("cpu", (1,))
        for module in (*sharded.blocks, sharded):
            fully_shard(module, mesh=mesh)
        prepare(sharded, char)
        assert found(sharded) == expected
    finally:
        torch.distributed.destroy_process_group()


def test_frozen_parameters_are_left_out(char):
    model = prepare(build(**TARGET), char)
    model.token.weight.requires_grad_(False)
    groups = param_groups(model, char, lr=0.01)
    assert all(p is not model.token.weight for g in groups for p in g["params"])


def test_prepare_multiplies_what_the_plan_says_and_hidden_matrices_by_init_scale(char):
    torch.manual_seed(0)
    model = build(**TARGET)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    assert prepare(model, char, init_scale=0.7) is model
    for name, p in model.named_parameters():
        factor = char[name].init * (0.7 if char[name].role == "hidden" else 1)
        assert torch.allclose(p, before[name] * factor)


def test_prepare_refuses_a_second_time_a_copy_and_a_meta_model(char):
    model = prepare(build(**TARGET), char)
    with pytest.raises(PlanError, match="prepared before"):
        prepare(model, char)
    with pytest.raises(PlanError, match="prepared before"):
        prepare(copy.deepcopy(model), char)
    with torch.device("meta"):
        empty = build(**TARGET)
    with pytest.raises(PlanError, match="to_empty"):
        prepare(empty, char)
    with pytest.raises(PlanError, match="init_scale must be positive"):
        prepare(build(**TARGET), char, init_scale=0)


def test_a_model_made_on_the_meta_device_and_filled_later_is_grouped_as_any(char):
    with torch.device("meta"):
        model = build(**TARGET)
    with pytest.warns(UserWarning, match="prepare"):  # a trainer may want its groups before
        early = settings_by_name(model, param_groups(model, char, lr=0.01))
    model = model.to_empty(device="cpu")
    torch.manual_seed(0)
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    prepare(model, char)
    assert settings_by_name(model, param_groups(model, char, lr=0.01)) == early


def test_forgetting_prepare_is_told_where_it_matters(char):
    with pytest.warns(UserWarning, match="prepare"):
        param_groups(build(**TARGET), char, lr=0.01)
    wide = plan(build, BASE, {"width": 64, "depth": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        param_groups(build(64, 2), wide, lr=0.01)  # groups alone carry the width


def test_another_model_is_refused_with_names_and_shapes(char):
    with pytest.raises(
        PlanError, match=r"token\.weight is \(96, 32\); the plan's target has \(96, 64\)"
    ):
        prepare(build(32, 4), char)
    with pytest.raises(PlanError, match=r"the model lacks blocks\.3\.norm1\.weight"):
        prepare(build(64, 3), char)
    with pytest.raises(PlanError, match=r"(?s)embed\.weight is not in the plan.*the plan is for"):
        prepare(nets.Tied(64), char)


def test_a_misspelt_option_is_an_error(char):
    model = prepare(build(**TARGET), char)
    with pytest.raises(PlanError, match=r"no option 'bettas'. Did you mean 'betas'"):
        param_groups(model, char, lr=0.01, bettas=(0.9, 0.95))


@pytest.mark.parametrize("wrong", [{"lr": -0.1}, {"lr": 0.1, "weight_decay": float("nan")}])
def test_settings_that_are_no_numbers_are_refused(char, wrong):
    model = prepare(build(**TARGET), char)
    with pytest.raises(PlanError, match="zero or more"):
        param_groups(model, char, **wrong)


def test_arguments_of_another_kind_are_refused(char):
    with pytest.raises(PlanError, match="in this order, not Plan and CharTransformer"):
        prepare(char, build(**TARGET))
    with pytest.raises(PlanError, match="in this order, not CharTransformer and str"):
        param_groups(build(**TARGET), char.to_json(), lr=0.1)
    for betas in (0.9, (0.9,), (0.9, 1.0), ("a", "b")):
        with pytest.raises(PlanError, match="betas must be two numbers"):
            param_groups(prepare(build(**TARGET), char), char, lr=0.1, betas=betas)


def test_a_checkpoint_brings_back_model_and_optimizer_with_their_ratios(char, tmp_path):
    def made(seed):
        torch.manual_seed(seed)
        model = prepare(build(**TARGET), char)
        groups = param_groups(model, char, lr=0.01, weight_decay=0.1)
        return model, keep_ratios(torch.optim.AdamW(groups))

    def train(model, optimizer, scheduler, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.arange(8)[None] % 7).logsumexp(-1).mean().backward()
            optimizer.step()
            scheduler.step()

    model, optimizer = made(0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    train(model, optimizer, scheduler, 3)
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    torch.save({k: v.state_dict() for k, v in parts.items()}, tmp_path / "last.pt")
    train(model, optimizer, scheduler, 3)

    other, again = made(1)
    later = torch.optim.lr_scheduler.CosineAnnealingLR(again, 10)
    saved = torch.load(tmp_path / "last.pt")
    for part, state in zip((other, again, later), saved.values(), strict=True):
        part.load_state_dict(state)
    assert [g["name"] for g in again.param_groups] == [g["name"] for g in optimizer.param_groups]
    train(other, again, later, 3)
    assert settings_by_name(other, again.param_groups) == settings_by_name(
        model, optimizer.param_groups
    )
    assert all(map(torch.equal, model.parameters(), other.parameters()))
    erased = torch.optim.lr_scheduler.OneCycleLR(again, max_lr=0.01, total_steps=9)
    with pytest.raises(PlanError, match="a scheduler has erased them"):
        train(other, again, erased, 1)


def test_batch_and_tokens_act_only_where_the_base_names_them(char):
    model = prepare(build(**TARGET), char)
    plain = param_groups(model, char, lr=0.01, weight_decay=0.1)
    given = param_groups(model, char, lr=0.01, weight_decay=0.1, batch=64, tokens=1e9)
    assert settings_by_name(model, plain) == settings_by_name(model, given)
    p = plan(build, {**BASE, "batch": 8, "tokens": 1e6}, {**TARGET, "batch": 16, "tokens": 8e6})
    groups = param_groups(model, p, lr=0.01, weight_decay=0.1)
    for g, h in zip(groups, plain, strict=True):
        assert g["lr"] == pytest.approx(h["lr"] / 2)  # sqrt(m_B / m_D) = sqrt(2 / 8)
        assert g["weight_decay"] == pytest.approx(h["weight_decay"] / 2)
        assert g["eps"] == pytest.approx(h["eps"] * 2)
        assert g["betas"] == pytest.approx((1 - 0.1 / 4, 1 - 0.05 / 4))
    here = param_groups(model, p, lr=0.01, weight_decay=0.1, batch=8, tokens=1e6)
    assert [g["lr"] for g in here] == pytest.approx([h["lr"] for h in plain])


def test_a_batch_rule_that_makes_momentum_very_slow_says_so():
    point = {"width": 32, "depth": 2, "batch": 8, "tokens": 1e6}
    p = plan(build, point, {**point, "tokens": 8e6})
    with pytest.warns(UserWarning, match=r"beta1 = 0\.9875, an average over 80 steps"):
        param_groups(build(32, 2), p, lr=0.01)
