"""Plans: what they print, keep and refuse."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from maquette.bench.live.char_transformer.model import build
from maquette.errors import PlanError
from maquette.nn import Plan, plan
from maquette.scaling.parametrization import table, write_table
from tests.nn import architectures as nets

BASE = {"width": 32, "depth": 2, "batch": 8, "tokens": 1e6}
TARGET = {"width": 128, "depth": 4, "batch": 32, "tokens": 4e6}


@pytest.fixture(scope="module")
def example():
    return plan(build, BASE, TARGET)


def test_json_round_trip(example):
    text = example.to_json()
    json.loads(text)
    assert Plan.from_json(text) == example
    assert list(Plan.from_json(text).parameters) == list(example.parameters)
    assert Plan.from_toml(example.to_toml()) == example


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"maquette_plan": 2}', "null", "3"])
def test_text_that_is_no_plan(text):
    with pytest.raises(PlanError, match="not a plan"):
        Plan.from_json(text)


def test_a_plan_of_a_newer_version(example):
    document = json.loads(example.to_json()) | {"maquette_plan": 99}
    with pytest.raises(PlanError, match=r"format 99; this version reads 2\nhint: make"):
        Plan.from_json(json.dumps(document))


def test_the_table_puts_equal_layers_in_one_row_and_says_why(example):
    text = str(example)
    assert "width 32 -> 128, depth 2 -> 4" in text
    row = next(line for line in text.splitlines() if "attention.proj" in line)
    assert row.split()[:10] == [
        "blocks.*.attention.proj.weight", "(4)", "hidden", "4", "4", "2", "0.5", "0.125", "8", "0.5"
    ]  # fmt: skip
    assert "sums over dimension 1, which grows as its output does (mm)" in row


def test_an_unknown_parameter_names_the_nearest(example):
    with pytest.raises(PlanError, match=r"Did you mean 'blocks\.0\.mlp\.up\.weight'"):
        example["blocks.0.mlp.upp.weight"]


def test_other_alpha():
    base, target = {"width": 32, "depth": 2}, {"width": 32, "depth": 8}
    p = plan(build, base, target, rule="everett+completep(0.5)")
    row = p["blocks.0.mlp.down.weight"]
    assert (row.fold, row.init) == (1 / 2, 1 / 2)
    assert row.lr == pytest.approx(1 / 4)  # c and m_L^(alpha - 1)
    assert p["blocks.0.mlp.up.weight"].lr == pytest.approx(1 / 2)


def test_a_table_in_a_file(tmp_path, example):
    own = write_table(table("everett+completep+sde")).replace(
        '[roles.readout]\ninit = "fan_in^-1/2"\nmultiplier = "1"\nlr = "fan_in^-1"',
        '[roles.readout]\ninit = "fan_in^-1/2"\nmultiplier = "1"\nlr = "fan_in^-1/2"',
    )
    path = tmp_path / "own.toml"
    path.write_text(own)
    p = plan(build, BASE, TARGET, rule=str(path))
    assert p["readout.weight"].lr == 1 / 2
    assert p["blocks.0.mlp.up.weight"] == example["blocks.0.mlp.up.weight"]
    with pytest.raises(PlanError, match=r"gone\.toml"):
        plan(build, BASE, TARGET, rule=tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("std", "factor"),
    [
        (lambda fan_in: fan_in**-0.5, 1),
        (lambda fan_in: 0.02, 1 / 2),
        (lambda fan_in: 1 / fan_in, 2),
    ],
)
def test_an_initialisation_that_does_not_follow_the_rule_is_mended(std, factor):
    def network(width):
        m = nets.Residual(width, [nets.Simple(width)])
        for layer in m.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=std(layer.in_features))
        return m

    p = plan(network, {"width": 32}, {"width": 128})
    assert p["blocks.0.up.weight"].init == pytest.approx(factor)
    assert p["embed.weight"].init == 1
    assert plan(network, {"width": 32}, {"width": 128}, rule="sp")["blocks.0.up.weight"].init == 1


@given(st.sampled_from([16, 48, 80]), st.sampled_from([32, 64, 176]))
@settings(max_examples=6, deadline=None)
def test_base_to_target_and_back_cancels(w1, w2):
    there = plan(nets.Tied, {"width": w1}, {"width": w2})
    back = plan(nets.Tied, {"width": w2}, {"width": w1})
    for name, row in there.parameters.items():
        other = back[name]
        for factor in ("init", "lr", "weight_decay", "eps"):
            assert getattr(row, factor) * getattr(other, factor) == pytest.approx(1)


class TestRefusals:
    def test_every_problem_of_the_points_at_once(self):
        with pytest.raises(PlanError) as e:
            plan(build, {"widht": 32, "depth": 0}, {"width": 2.5, "layers": 3})
        text = str(e.value)
        assert "build has no parameter 'widht'. Did you mean 'width'?" in text
        assert "base: depth=0 is not a positive whole number" in text
        assert "target: width=2.5 is not a positive whole number" in text
        assert "base names no width" in text
        assert "target names 'layers', which base does not" in text

    def test_rule_and_optimizer(self):
        with pytest.raises(PlanError, match=r"no parametrization 'mupp'. Did you mean 'mup'"):
            plan(build, BASE, TARGET, rule="mupp")
        with pytest.raises(PlanError, match=r"no rules for optimizer 'adamv'. Did you mean 'adam"):
            plan(build, BASE, TARGET, optimizer="adamv")

    @pytest.mark.parametrize("rule", [3, None, ["mup"]])
    def test_a_rule_that_is_no_rule(self, rule):
        with pytest.raises(PlanError, match="a name, the path of a table in TOML, or a Table"):
            plan(build, BASE, TARGET, rule=rule)

    def test_arguments_of_another_kind(self):
        with pytest.raises(PlanError) as e:
            plan(nn.Linear(2, 2), 64, None)
        assert len(e.value.problems) == 3
        assert "base is a mapping" in str(e.value)
        assert "a function that returns a model, not a model" in str(e.value)
        with pytest.raises(PlanError, match="roles is a mapping"):
            plan(build, BASE, TARGET, roles=["token"])
        with pytest.raises(PlanError, match="example is a tensor, a tuple"):
            plan(build, BASE, TARGET, example=3)
        with pytest.raises(PlanError, match="not 'model"):
            plan("model.py", BASE, TARGET)

    def test_a_table_for_another_optimizer(self):
        with pytest.raises(PlanError, match="is for sgd, the plan for adamw"):
            plan(build, BASE, TARGET, rule=table("mup", "sgd"))

    def test_a_builder_that_ignores_the_width_or_depth(self):
        with pytest.raises(PlanError, match=r"(?s)build ignores it.*pass the width on"):
            plan(lambda width: build(32, 1), {"width": 32}, {"width": 64})
        with pytest.raises(PlanError, match="comes or goes with the depth"):
            plan(lambda width, depth: build(width, 2), BASE, TARGET)

    def test_lazy_modules(self):
        def network(width):
            return nn.Sequential(nn.Embedding(9, width), nn.LazyLinear(9))

        with pytest.raises(PlanError, match=r"leaves 1\.weight.*lazy"):
            plan(network, {"width": 32}, {"width": 64})

    @pytest.mark.parametrize("kind", [torch.optim.LBFGS, torch.optim.SparseAdam])
    def test_an_optimizer_that_cannot_step_a_matrix_by_itself(self, kind):
        with pytest.raises(PlanError, match=r"(?s)cannot be tried on a matrix.*take a closure"):
            plan(build, BASE, TARGET, optimizer=kind)

    def test_shapes_that_depend_on_values_are_run_for_real(self):
        class Kept(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.embed, self.mix = nn.Embedding(9, width), nn.Linear(width, width)
                self.head = nn.Linear(width, 9)

            def forward(self, index):
                y = self.mix(self.embed(index))
                return self.head(y[(y.sum(-1) > -1e9).nonzero(as_tuple=True)])

        p = plan(Kept, {"width": 32}, {"width": 64})
        assert [p[n].role for n in ("mix.weight", "head.weight")] == ["hidden", "readout"]

    def test_names_that_depend_on_the_width(self):
        def network(width):
            return nn.ModuleDict({f"layer{width}": nn.Embedding(9, width)})

        with pytest.raises(PlanError, match="names must not depend on the width"):
            plan(network, {"width": 32}, {"width": 64})

    def test_a_builder_that_fails_or_returns_something_else(self):
        with pytest.raises(
            PlanError, match=r"(?s)build\(width=30, depth=4\) failed.*multiple of 16"
        ):
            plan(build, {**BASE, "width": 30}, TARGET)
        with pytest.raises(PlanError, match=r"returned int, not a torch.nn.Module"):
            plan(lambda width: width, {"width": 32}, {"width": 64})

    def test_no_input_known_or_the_wrong_one(self):
        with pytest.raises(PlanError, match=r"(?s)Perceptron has no embedding.*pass example="):
            plan(nets.Perceptron, {"width": 32}, {"width": 64})
        with pytest.raises(PlanError, match=r"(?s)one forward pass failed.*pass example="):
            plan(nets.Perceptron, {"width": 32}, {"width": 64}, example=torch.zeros(2, 13))

    def test_a_tied_readout_under_mup(self):
        with pytest.raises(PlanError, match=r"embed\.weight = head\.weight is tied") as e:
            plan(nets.Tied, {"width": 32}, {"width": 64}, rule="mup")
        assert 'roles={"embed.weight": "embedding"}' in str(e.value)

    def test_two_parameters_that_multiply_each_other(self):
        class Product(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.embed = nn.Embedding(9, width)
                self.a = nn.Parameter(torch.randn(width, width))
                self.b = nn.Parameter(torch.randn(width, width))

            def forward(self, index):
                return self.embed(index) @ (self.a @ self.b)

        with pytest.raises(PlanError, match="multiplies it with 'b', also a parameter"):
            plan(Product, {"width": 32}, {"width": 64})
        p = plan(Product, {"width": 32}, {"width": 64}, roles={"[ab]": "hidden"})
        assert p["a"].lr == 1 / 2
