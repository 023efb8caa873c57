"""What the rules are for: per tensor, quantities that must not move with the width do not."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch

from maquette.bench.live.char_transformer.model import CONTEXT, build
from maquette.bench.live.char_transformer.train import loss_on
from maquette.nn import param_groups, plan, prepare

WIDTHS = (32, 64, 128)


def model_at(width, rule, seed):
    p = plan_at(width, rule)
    torch.manual_seed(seed)
    return prepare(build(width, 2), p), p


@functools.cache
def plan_at(width, rule):
    return plan(build, {"width": 32, "depth": 2}, {"width": width, "depth": 2}, rule=rule)


def tokens(seed):
    return torch.randint(96, (8, CONTEXT + 1), generator=torch.Generator().manual_seed(seed))


def slopes(rms):
    """Power of the width for each name, from {width: {name: mean log2 rms}}."""
    x = np.log2(WIDTHS)
    return {n: np.polyfit(x, [rms[w][n] for w in WIDTHS], 1)[0] for n in rms[WIDTHS[0]]}


def mean_log2(runs):
    return {n: float(np.mean([math.log2(r[n]) for r in runs])) for n in runs[0]}


def update_rms(width, rule, seed, fault=None, steps=6, lr=2**-7):
    """rms((W_t - W_0) x) of every linear layer after a few steps of AdamW.

    The layer named by ``fault`` keeps the base's learning rate.
    """
    model, p = model_at(width, rule, seed)
    layers = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    before = {n: m.weight.detach().clone() for n, m in layers.items()}
    groups = param_groups(model, p, lr=lr, eps=1e-12)
    if fault is not None:
        wrong = layers[fault].weight
        for g in groups:
            g["params"] = [q for q in g["params"] if q is not wrong]
        groups.append({"params": [wrong], "lr": lr, "weight_decay": 0.0, "betas": (0.9, 0.95)})
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]])
    for step in range(steps):
        optimizer.zero_grad()
        loss_on(model, tokens(10 * seed + step)).backward()
        optimizer.step()
    moved = {}
    for n, m in layers.items():
        m.register_forward_hook(
            lambda m, x, y, n=n: moved.__setitem__(
                n, (x[0] @ (m.weight - before[n]).T).pow(2).mean().sqrt().item()
            )
        )
    with torch.no_grad():
        model(tokens(999)[:, :-1])
    return moved


def measured(rule, fault=None):
    return slopes({w: mean_log2([update_rms(w, rule, s, fault) for s in range(3)]) for w in WIDTHS})


def test_updates_grow_with_width_in_the_standard_form_and_not_by_the_rules():
    standard, auto, mup = (measured(rule) for rule in ("sp", "auto", "mup"))
    assert min(v for n, v in standard.items() if n.startswith("blocks")) > 0.6
    assert abs(np.median(list(auto.values()))) < 0.3
    # Single tensors fall by up to 0.37 at widths this small, where tokens are not yet orthogonal.
    assert max(abs(v) for v in auto.values()) < 0.4
    assert max(mup.values()) < 0.3


def test_a_tensor_with_the_wrong_rate_stands_out_by_the_missing_power():
    found = measured("auto", fault="blocks.1.mlp.down")
    assert found.pop("blocks.1.mlp.down") == pytest.approx(1, abs=0.35)
    assert max(abs(v) for v in found.values()) < 0.4


@pytest.mark.parametrize("rule", ["auto", "mup"])
def test_epsilon_follows_the_gradient(rule):
    """The plan's power of epsilon is that of the gradient's entries at initialisation."""

    def gradient_rms(width, seed):
        model, _ = model_at(width, rule, seed)
        loss_on(model, tokens(seed)).backward()
        return {n: q.grad.pow(2).mean().sqrt().item() for n, q in model.named_parameters()}

    runs = {w: mean_log2([gradient_rms(w, s) for s in range(4)]) for w in WIDTHS}
    p = plan_at(128, rule)
    found = slopes(runs)
    del found["norm.weight"]  # its expected gradient at the start falls twice as fast as its noise
    for name, slope in found.items():
        assert slope == pytest.approx(math.log(p[name].eps, 4), abs=0.3), name
