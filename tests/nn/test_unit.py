"""Unit-scaled blocks: sizes of 1, true gradients, rates that follow the scale, float8."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from maquette.errors import PlanError
from maquette.nn import check, unit
from maquette.nn.unit.sizes import gelu_std, silu_rms, silu_std

HEAD, VOCABULARY = 16, 32


class Block(nn.Module):
    def __init__(self, width, tau, float8):
        super().__init__()
        self.tau = tau
        self.norms = nn.ModuleList([unit.LayerNorm(width), unit.RMSNorm(width)])
        self.qkv = unit.Linear(width, 3 * width, float8=float8)
        self.proj = unit.Linear(width, width, float8=float8)
        self.up = unit.Linear(width, 4 * width, bias=True, float8=float8)
        self.down = unit.Linear(4 * width, width, float8=float8)

    def attend(self, x):
        heads = self.qkv(x).unflatten(-1, (-1, HEAD)).transpose(1, 2).chunk(3, dim=1)
        return self.proj(unit.attention(*heads, causal=True).transpose(1, 2).flatten(2))

    def forward(self, x):
        x, skip = unit.split(x, self.tau[0])
        x = unit.join(self.attend(self.norms[0](x)), skip, self.tau[0])
        x, skip = unit.split(x, self.tau[1])
        return unit.join(self.down(unit.gelu(self.up(self.norms[1](x)))), skip, self.tau[1])


class Model(nn.Module):
    def __init__(self, width=64, depth=2, float8=False):
        super().__init__()
        self.token, self.place = unit.Embedding(VOCABULARY, width), unit.Embedding(64, width)
        self.blocks = unit.Stack(Block(width, tau, float8) for tau in unit.taus(depth))
        self.norm = unit.LayerNorm(width, gain=False)
        self.readout = unit.Readout(width, VOCABULARY, float8=float8)

    def forward(self, index):
        x = unit.add(self.token(index), self.place(torch.arange(index.shape[-1])))
        for block in self.blocks:
            x = block(x)
        return self.readout(self.norm(x))


def loss_of(model, batch=8, length=32, seed=0):
    index = torch.randint(
        VOCABULARY, (batch, length + 1), generator=torch.Generator().manual_seed(seed)
    )
    return unit.cross_entropy(model(index[:, :-1]), index[:, 1:])


def size(x):
    return float(x.detach().double().square().mean().sqrt())


def both(f, *shapes):
    """Sizes of an operation's output and of the gradients of its inputs, all of size 1 before."""
    torch.manual_seed(0)
    given = [torch.randn(s, requires_grad=True) for s in shapes]
    y = f(*given)
    y.backward(torch.randn_like(y))
    return size(y), *(size(x.grad) for x in given)


@pytest.mark.parametrize(
    ("f", "shapes", "gradients"),
    [
        (unit.linear, [(64, 256), (256, 256)], [1, 1]),
        # Up and down: what lies between has the gradient of the wider side.
        (
            lambda x, a, b: unit.linear(unit.linear(x, a), b),
            [(64, 64), (256, 64), (64, 256)],
            [1, 0.5, 1],
        ),
        (unit.add, [(64, 32), (64, 32)], [2**-0.5, 2**-0.5]),
        (unit.add, [(512, 256), (256,)], [2**-0.5, 2**-0.5]),
        (unit.layer_norm, [(512, 64), (64,)], [1, 1]),
        (unit.rms_norm, [(512, 64), (64,)], [1, 1]),
        (lambda x, y: unit.join(x, y, 0.3), [(64, 64), (64, 64)], [1, 1]),
        (lambda x: torch.stack(unit.split(x, 0.3)), [(64, 64)], [1]),
    ],
)
def test_products_sums_and_norms_keep_the_size_of_signals_and_gradients(f, shapes, gradients):
    output, *got = both(f, *shapes)
    assert output == pytest.approx(1, abs=0.1)
    assert got == pytest.approx(gradients, rel=0.2)


@pytest.mark.parametrize("mult", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("f", [unit.gelu, unit.silu, unit.silu_gated])
def test_activations_have_unit_variance(f, mult):
    torch.manual_seed(0)
    inputs = [torch.randn(200_000, requires_grad=True) for _ in range(1 + (f is unit.silu_gated))]
    y = f(*inputs, mult=mult)
    assert float(y.detach().std()) == pytest.approx(1, abs=0.02)
    y.backward(torch.randn_like(y))
    assert all(size(x.grad) == pytest.approx(1, abs=0.35) for x in inputs)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("mult", [0.5, 1.0, 3.0])
def test_attention_keeps_the_size_of_values(causal, mult):
    output, *_, of_values = both(
        lambda q, k, v: unit.attention(q, k, v, causal, mult), *[(16, 4, 64, 32)] * 3
    )
    assert output == pytest.approx(1, abs=0.12)
    assert of_values == pytest.approx(1, abs=0.12)


def test_constants_are_the_papers_fits_within_four_percent():
    def fit(low, high, slope):  # exp of a line between logs, by 1 / (1 + slope / mult^2)
        def at(mult):
            share = 1 / (1 + slope / mult**2)
            return math.exp(share * math.log(high) + (1 - share) * math.log(low))

        return at

    top = math.sqrt(2 / (1 - 1 / math.pi))
    for mult in (0.25, 0.5, 1, 2, 4):
        assert 1 / gelu_std(mult) == pytest.approx(fit(2, top, 0.25)(mult), rel=0.045)
        assert 1 / silu_rms(mult) == pytest.approx(fit(2, math.sqrt(2), 1)(mult), rel=0.045)
    # As an activation the paper's silu takes gelu's fit, which lies 7 % off at mult = 1.
    assert 1 / silu_std(1) == pytest.approx(fit(2, top, 0.25)(1), rel=0.08)


def test_branches_contribute_as_told():
    for depth, mult, ratio in ((3, 1.0, 1.0), (4, 0.5, 2.0)):
        shares = [1.0]
        for pair in unit.taus(depth, mult, ratio):
            for tau in pair:
                shares = [s / (1 + tau**2) for s in shares] + [tau**2 / (1 + tau**2)]
        skip, attention, ffn = shares[0], sum(shares[1::2]), sum(shares[2::2])
        assert sum(shares) == pytest.approx(1)
        assert (attention + ffn) / 2 / skip == pytest.approx(mult**2)
        assert attention / ffn == pytest.approx(ratio**2)
    with pytest.raises(PlanError, match="a depth of 1 or more"):
        unit.taus(0)


@pytest.mark.parametrize(("width", "depth", "batch"), [(64, 2, 8), (256, 2, 4), (64, 8, 16)])
def test_a_whole_model_starts_at_size_1_whatever_its_scale(width, depth, batch):
    torch.manual_seed(0)
    model, seen = Model(width, depth), {}
    for name, module in model.named_modules():
        if isinstance(module, unit.Linear):
            module.register_forward_hook(lambda _, __, y, name=name: seen.update({name: size(y)}))
    loss_of(model, batch).backward()
    # Deeper down values are alike at all positions, so that their mean is no smaller than they.
    assert all(0.7 < s < (2.5 if n.endswith("proj") else 1.4) for n, s in seen.items()), seen
    gradients = {n: size(p.grad) for n, p in model.named_parameters()}
    assert all(0.25 < g < 4 for g in gradients.values()), gradients


def test_gradients_are_the_functions_own_up_to_a_constant_for_each_parameter():
    torch.manual_seed(0)
    model = Model(32, 2).double()
    loss_of(model, 2, 8).backward()
    for name, p in model.named_parameters():
        ratios = []
        for _ in range(3):
            v = torch.randn_like(p)
            with torch.no_grad():
                p.add_(1e-5 * v)
                up = loss_of(model, 2, 8)
                p.sub_(2e-5 * v)
                down = loss_of(model, 2, 8)
                p.add_(1e-5 * v)
            ratios.append(float((p.grad * v).sum() / ((up - down) / 2e-5)))
        assert min(ratios) > 0, name
        assert max(ratios) / min(ratios) == pytest.approx(1, abs=1e-3), name


def test_the_loss_is_a_mean_and_its_gradient_does_not_shrink_with_the_batch():
    torch.manual_seed(0)
    for rows in (4, 400):
        logits = torch.randn(rows, VOCABULARY).mul(0.01).requires_grad_()
        target = torch.randint(VOCABULARY, (rows,))
        loss = unit.cross_entropy(logits, target)
        assert loss.item() == pytest.approx(nn.functional.cross_entropy(logits, target).item())
        loss.backward()
        assert size(logits.grad) == pytest.approx(1, abs=0.02)
    target[:200] = -100
    expected = nn.functional.cross_entropy(logits, target)
    assert unit.cross_entropy(logits, target).item() == pytest.approx(expected.item())


def rates(groups, model):
    names = {id(p): n for n, p in model.named_parameters()}
    return {names[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}


def test_rates_follow_width_and_depth():
    model = Model(64, 4)
    got = rates(unit.param_groups(model, lr=0.5, weight_decay=0.1), model)
    assert got["token.weight"][0] == pytest.approx(0.5 / 8)
    assert got["readout.weight"][0] == 0.5
    assert got["blocks.0.qkv.weight"][0] == pytest.approx(0.5 / 8 / 2)
    assert got["blocks.3.down.weight"][0] == pytest.approx(0.5 / 16 / 2)
    assert got["blocks.3.up.bias"] == (0.25, 0.0)
    assert all(lr * wd == pytest.approx(0.05) for lr, wd in got.values() if wd)
    assert set(got) == {n for n, _ in model.named_parameters()}


def test_groups_are_those_of_copies_and_meta_models():
    model = Model()
    expected = sorted(rates(unit.param_groups(model, lr=0.5), model).values())
    with torch.device("meta"):
        empty = Model()
    for other in (copy.deepcopy(model), empty):
        assert sorted(rates(unit.param_groups(other, lr=0.5), other).values()) == expected
    filled = empty.to_empty(device="cpu")
    for module in filled.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    assert size(filled.blocks[0].qkv.weight) == pytest.approx(1, abs=0.05)


def test_parameters_of_other_modules_are_refused():
    model = Model()
    model.blocks[0].proj = nn.Linear(64, 64)
    with pytest.raises(PlanError, match=r"blocks\.0\.proj\.weight, blocks\.0\.proj\.bias"):
        unit.param_groups(model, lr=1.0)
    with pytest.raises(PlanError, match="above 0"):
        unit.param_groups(Model(), lr=0)


def test_float8_loses_nothing_of_unit_scaled_tensors_and_much_of_others():
    torch.manual_seed(0)
    scaled_model = Model()
    found = unit.ranges(scaled_model, loss_of)
    assert len(found.rows) == 3 * 9
    assert all(r.lost < 0.02 and r.clipped == 0 and r.error < 0.1 for r in found.rows)
    assert all(p.grad is None for p in scaled_model.parameters())

    plain = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    with torch.no_grad():
        plain[0].weight.mul_(1e-3)
    x = torch.randn(4096, 64)
    found = unit.ranges(plain, lambda m: m(x).square().mean() * 1e-4)
    by = {(r.name, r.what): r for r in found.rows}
    assert by["0", "weight"].lost > 0.9
    assert by["0", "gradient"].lost > 0.9
    assert found.worst.error > 0.9
    assert "lost" in str(found)
    assert str(found).count("gradient") == 2
    with pytest.raises(PlanError, match="no linear layer"):
        unit.ranges(nn.ReLU(), lambda m: m(x))


def test_training_in_float8_follows_training_in_full():
    losses = []
    for float8 in (False, True):
        torch.manual_seed(0)
        model = Model(32, 2, float8)
        optimizer = torch.optim.AdamW(unit.param_groups(model, lr=0.5))
        for _ in range(30):
            optimizer.zero_grad()
            loss = loss_of(model, 4, 16)
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[0] < 0.5 * math.log(VOCABULARY)
    assert losses[1] == pytest.approx(losses[0], abs=0.25)
    x = torch.tensor([1e9, 0.3, 1e-9], requires_grad=True)
    assert unit.rounded(x).tolist() == [448, pytest.approx(0.3, rel=0.05), 0]


def test_the_check_finds_nothing_but_the_papers_rate_of_embeddings():
    """Their learning rate of 1 / sqrt(width) is from experiment; theory asks for a constant."""

    def data(seed):
        index = torch.randint(VOCABULARY, (2, 17), generator=torch.Generator().manual_seed(seed))
        return index[:, :-1], index[:, 1:]

    found = check(
        lambda width: Model(width, 1),
        widths=(32, 128),
        optimizer=lambda model: torch.optim.AdamW(unit.param_groups(model, lr=2.0**-6)),
        loss=lambda model, batch: unit.cross_entropy(model(batch[0]), batch[1]),
        batch=data,
        seeds=1,
        steps=2,
    )
    off = {n: s.exponent for n, s in found.of("update").items() if abs(s.exponent) > 0.4}
    assert off == {n: pytest.approx(-0.5, abs=0.15) for n in ("token.weight", "place.weight")}
