"""Residual branches: what carries the multiplier, what the model does already, what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from maquette.errors import PlanError
from maquette.nn import plan
from maquette.nn.layers import layers
from tests.nn import architectures as nets

BASE, TARGET = {"width": 16, "depth": 2}, {"width": 16, "depth": 8}


def residual(block):
    return lambda width, depth: nets.Residual(width, [block(width, depth) for _ in range(depth)])


def carried(p):
    return {
        n.removeprefix("blocks.0."): r.fold
        for n, r in p.parameters.items()
        if r.fold != 1 and "blocks.0" in n
    }


def test_the_last_matrix_and_its_bias_carry_the_multiplier():
    p = plan(residual(lambda w, d: nets.Simple(w)), BASE, TARGET)
    assert carried(p) == {"down.weight": 1 / 4, "down.bias": 1 / 4}
    assert all(r.depth == 4 for n, r in p.parameters.items() if n.startswith("blocks"))
    assert all(r.depth == 1 for n, r in p.parameters.items() if not n.startswith("blocks"))


def test_a_layer_scale_carries_it_instead():
    p = plan(residual(lambda w, d: nets.Simple(w, scaled=True)), BASE, TARGET)
    assert carried(p) == {"gain": 1 / 4}


def test_parallel_branches_carry_it_each():
    p = plan(residual(lambda w, d: nets.Parallel(w)), BASE, TARGET)
    assert carried(p) == {"two.weight": 1 / 4, "two.bias": 1 / 4, "last.weight": 1 / 4}


def test_attention_and_gated_mlp_end_in_their_projections():
    p = plan(nets.GroupedQuery, BASE, TARGET)
    assert carried(p) == {"out.weight": 1 / 4, "down.weight": 1 / 4}


def test_stacked_experts_end_in_their_second_matrix():
    p = plan(nets.Experts, BASE, TARGET)
    assert carried(p) == {"w2": 1 / 4}


def test_a_branch_that_ends_in_a_norm_is_refused_with_the_lines_to_add():
    with pytest.raises(PlanError, match="ends in a norm") as e:
        plan(residual(lambda w, d: nets.Simple(w, post=True)), BASE, TARGET)
    assert "self.scale = (base_depth / depth) ** 1" in str(e.value)
    assert "x = x + self.scale * branch(x)" in str(e.value)


def test_a_written_out_norm_is_a_norm():
    class Sandwich(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.w, self.norm = nn.Linear(width, width), nets.Rms(width)

        def forward(self, x):
            return x + self.norm(self.w(x))

    with pytest.raises(PlanError, match="ends in a norm"):
        plan(residual(lambda w, d: Sandwich(w)), BASE, TARGET)


def test_with_those_lines_it_is_accepted_and_nothing_is_folded():
    p = plan(residual(lambda w, d: nets.Simple(w, factor=2 / d, post=True)), BASE, TARGET)
    assert carried(p) == {}
    assert p["blocks.0.down.weight"].eps == 1 / 4


def test_a_multiplier_that_the_model_has_is_counted():
    p = plan(residual(lambda w, d: nets.Simple(w, factor=(2 / d) ** 0.5)), BASE, TARGET)
    assert carried(p) == {"down.weight": 1 / 2, "down.bias": 1 / 2}


def test_an_initialisation_that_shrinks_with_depth_is_counted():
    def block(width, depth):
        b = nets.Simple(width)
        nn.init.normal_(b.down.weight, std=0.2 / math.sqrt(2 * depth))
        return b

    p = plan(residual(block), BASE, TARGET)
    assert p["blocks.0.down.weight"].init == pytest.approx(1 / 2)  # c = 1/4, half of it done
    assert p["blocks.0.down.weight"].lr == 1 / 4


def test_a_shared_end_is_refused():
    class Shared(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.up, self.norm = nn.Linear(width, width), nn.LayerNorm(width)

        def forward(self, x):
            return x + self.up(torch.relu(self.up(self.norm(x))))

    with pytest.raises(
        PlanError, match=r"blocks\.\*\.up\.weight ends a branch, but is used elsewhere"
    ):
        plan(residual(lambda w, d: Shared(w)), BASE, TARGET)


def test_depth_without_residual_branches_is_refused():
    class Plain(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.w = nn.Linear(width, width)

        def forward(self, x):
            return torch.relu(self.w(x))

    with pytest.raises(PlanError, match="no residual branch"):
        plan(residual(lambda w, d: Plain(w)), BASE, TARGET)
    plan(residual(lambda w, d: Plain(w)), BASE, TARGET, rule="sp")


def test_a_residual_that_does_not_repeat_is_left_alone():
    class Stem(nn.Module):
        def __init__(self, width, depth):
            super().__init__()
            self.stem = nets.Simple(width)
            self.rest = residual(lambda w, d: nets.Simple(w))(width, depth)
            self.embed, self.rest.embed = self.rest.embed, nn.Identity()

        def forward(self, index):
            return self.rest(self.stem(self.embed(index)))

    p = plan(Stem, BASE, TARGET)
    assert p["stem.down.weight"].fold == 1
    assert p["stem.down.weight"].depth == 1
    assert p["rest.blocks.7.down.weight"].fold == 1 / 4


def test_routed_experts_are_run_for_real_and_end_in_their_last_layers():
    build = residual(lambda w, d: nets.TopOne(w))
    tokens = torch.arange(40).reshape(2, 20)
    p = plan(build, BASE, TARGET, example=tokens)
    assert carried(p) == {
        f"experts.{i}.2.{kind}": 1 / 4 for i in range(2) for kind in ("weight", "bias")
    }
    assert p["blocks.0.experts.0.2.weight"].init == pytest.approx(1 / 4)
    assert p["blocks.0.experts.0.0.weight"].init == 1
    with pytest.raises(PlanError, match=r"did not use blocks\.\d\.experts") as e:
        plan(build, BASE, TARGET, example=torch.zeros(1, 1, dtype=torch.long))
    assert "more tokens for the experts" in str(e.value)


def test_an_update_in_place_is_a_residual_sum():
    class InPlace(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm, self.w = nn.LayerNorm(width), nn.Linear(width, width)

        def forward(self, x):
            x += nn.functional.dropout(self.w(self.norm(x)), 0.1, self.training)
            return x

    p = plan(residual(lambda w, d: InPlace(w)), BASE, TARGET)
    assert carried(p) == {"w.weight": 1 / 4, "w.bias": 1 / 4}


def test_of_several_numbers_in_a_name_the_layer_is_the_one_that_depth_changes():
    def names(depth):
        return ["0.weight", *(f"stages.1.blocks.{i}.mlp.{k}" for i in range(depth) for k in (0, 2))]

    found = layers(names(2), names(5))
    assert found.patterns == {"stages.1.blocks.*.mlp.0", "stages.1.blocks.*.mlp.2"}
    assert found.template("stages.1.blocks.9.mlp.2") == "stages.1.blocks.*.mlp.2"
    assert not found.repeats("0.weight")
