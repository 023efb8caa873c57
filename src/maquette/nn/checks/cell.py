"""Train a model at one scale for a handful of steps, and measure what should not follow the scale.

Every quantity is a root mean square or a ratio, by the name of a tensor or module:

update
    (W_t - W_0) x of each parameter, on the batch it was trained on.
activation, given
    Each module's output and first input before training.
aligned, scores
    Attention scores if queries and keys were aligned; the change of the scores in training.
entropy
    Of each softmax after training, over its greatest value: 1 is uniform, 0 is one-hot.
epsilon
    Adam's epsilon over the root of its second moment.
spectral
    Largest singular value of W_t - W_0, for matrices whose two sides both grow.
update_rms
    Root mean square of W_t - W_0.
output, logits
    Change of the model's output; its largest entry after training.
sharpness
    How sharply the loss bends along the optimizer's steps, where it was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from maquette.nn.build import Builder, build_at, same_random_state
from maquette.nn.checks.batch import Data
from maquette.nn.checks.optimizers import Settings, ready
from maquette.nn.checks.probe import Scores, Sight, look, rms
from maquette.nn.checks.sharpness import sharpness
from maquette.nn.plan import Plan

Values = dict[str, dict[str, float]]  # quantity -> tensor or module -> value


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """What one short run showed.

    Parameters
    ----------
    point
        Arguments of the builder.
    seed
        Of the initial values and the batch.
    values
        By quantity and name; see the module.
    shapes
        Of the parameters and of the modules' outputs.
    losses
        Before each step, and after the last.
    """

    point: Mapping[str, int]
    seed: int
    values: Values
    shapes: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    losses: tuple[float, ...]


def run_cell(
    build: Builder,
    point: Mapping[str, int],
    seed: int,
    counts: tuple[int, int],
    data: Data,
    settings: Settings,
    plan: Plan | None,
) -> Cell:
    """Build, train for a few steps on one batch, and measure.

    ``counts`` are those of the steps, and of the iterations that find the sharpness.
    """
    steps, iterations = counts
    with same_random_state():
        model = build_at(_seeded(build, seed), point, "cpu")
        model, optimizers = ready(model, settings, plan)
        initial = {n: p.detach().clone() for n, p in model.named_parameters()}
        batch = data.draw(seed)
        args, kwargs = data.inputs(batch)
        before = look(model, args, kwargs)
        losses = _train(model, optimizers, data, batch, steps)
        after = look(model, args, kwargs, initial)
        values = _from_sights(before, after)
        _from_parameters(values, model, initial, optimizers)
        values["sharpness"] = {}
        if iterations:
            bend = sharpness(lambda: data.loss(model, batch), optimizers, iterations)
            values["sharpness"] = {"the loss": bend} if math.isfinite(bend) else {}
    shapes = {n: tuple(p.shape) for n, p in model.named_parameters()}
    return Cell(dict(point), seed, values, shapes, before.shapes, losses)


def _seeded(build: Builder, seed: int) -> Builder:
    def seeded(**point: int) -> nn.Module:
        torch.manual_seed(seed)
        return build(**point)

    return seeded


def _train(
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    data: Data,
    batch: object,
    steps: int,
) -> tuple[float, ...]:
    model.train()
    losses = []
    for _ in range(steps):
        model.zero_grad(set_to_none=True)
        loss = data.loss(model, batch)
        losses.append(loss.item())
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in optimizers:
            optimizer.step()
    with torch.no_grad():
        losses.append(data.loss(model, batch).item())
    return tuple(losses)


def _from_sights(before: Sight, after: Sight) -> Values:
    squares: dict[str, list[float]] = {}
    kinds: dict[str, set[str]] = {}
    for effect in after.effects:
        kinds.setdefault(effect.name, set()).add(effect.kind)
    for effect in after.effects:
        several = len(kinds[effect.name]) > 1
        key = f"{effect.name} ({effect.kind})" if several else effect.name
        squares.setdefault(key, []).append(effect.mean_square * effect.factor**2)
    values: Values = {
        "update": {k: math.sqrt(sum(v) / len(v)) for k, v in squares.items()},
        "activation": {n: out for n, (_, out) in before.modules.items()},
        "given": {n: x for n, (x, _) in before.modules.items() if not math.isnan(x)},
        "aligned": {},
        "scores": {},
        "entropy": {},
        "output": {},
        "logits": {},
    }
    for i, (first, last) in enumerate(zip(before.scores, after.scores, strict=False)):
        twins = sum(s.where == last.where for s in after.scores) > 1
        key = f"{last.where or 'model'} ({i})" if twins else last.where or "model"
        if last.aligned is not None:
            values["aligned"][key] = last.aligned
        if first.values.shape == last.values.shape:
            values["scores"][key] = rms(last.values - first.values)
        values["entropy"][key] = entropy(last)
    if before.output is not None and after.output is not None:
        if before.output.shape == after.output.shape:
            values["output"]["output"] = rms(after.output.float() - before.output.float())
        values["logits"]["output"] = float(after.output.detach().abs().max())
    return values


def entropy(scores: Scores) -> float:
    """Mean entropy of a softmax over the greatest that its mask allows; 1 is uniform."""
    x = scores.values.double()
    if scores.causal:
        mask = torch.ones(x.shape[-2:], dtype=torch.bool, device=x.device).tril()
        x = x.masked_fill(~mask, -math.inf)
    count = torch.isfinite(x).sum(-1)
    p = x.softmax(-1)
    h = -(p * p.clamp_min(1e-300).log()).sum(-1)
    rows = count > 1
    return float((h[rows] / count[rows].double().log()).mean()) if bool(rows.any()) else 1.0


def _from_parameters(
    values: Values,
    model: nn.Module,
    initial: Mapping[str, Tensor],
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    names = {id(p): n for n, p in model.named_parameters()}
    values |= {"epsilon": {}, "spectral": {}, "update_rms": {}}
    for optimizer, group in ((o, g) for o in optimizers for g in o.param_groups):
        eps = float(group.get("eps") or 0.0)
        betas = group.get("betas", (0.0, 0.0))
        for p in group["params"]:
            state = optimizer.state.get(p, {})
            if id(p) in names and eps and "exp_avg_sq" in state and "step" in state:
                unbiased = 1 - float(betas[1]) ** float(state["step"])
                gradient = math.sqrt(float(state["exp_avg_sq"].float().mean()) / unbiased)
                if gradient > 0:
                    values["epsilon"][names[id(p)]] = eps / gradient
    for name, p in model.named_parameters():
        change = (p.detach() - initial[name]).float()
        values["update_rms"][name] = rms(change)
        if p.ndim == 2:
            values["spectral"][name] = float(torch.linalg.matrix_norm(change, 2))
