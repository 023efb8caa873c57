"""The runs of the second gate: short, whole ones, with warm-up and decay, on fresh batches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from maquette.errors import PlanError
from maquette.nn.build import Builder, build_at, same_random_state
from maquette.nn.checks.batch import Data
from maquette.nn.checks.faults import Fault
from maquette.nn.checks.optimizers import Settings, cell_plan, ready
from maquette.nn.checks.sweep import Sweep, sweep
from maquette.nn.plan import Plan

OCTAVES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)  # above the check's rate


def sweeps(
    build: Builder,
    points: Sequence[Mapping[str, int]],
    found: Data,
    settings: Settings,
    chosen: Mapping[str, Any],
) -> tuple[Sweep, ...]:
    """Sweep learning rates over the widths of a check, and over its depths where it has some.

    The other axis stays at its smallest.

    Raises
    ------
    PlanError
        The optimizer sets its own rates.
    """
    if settings.own is not None:
        raise PlanError(
            "the sweep sets learning rates, and optimizer is a function that sets its own",
            hint="leave sweep out, or give the optimizer by name",
        )
    steps, seeds = int(chosen["sweep"]), min(int(chosen["seeds"]), 2)
    rates = [chosen["lr"] * 2**k for k in OCTAVES]
    losses: dict[tuple[tuple[int, ...], float, int], float] = {}  # the base is in both sweeps

    def along(axis: str) -> Sweep:
        line = [p for p in points if all(p[k] == points[0][k] for k in p if k != axis)]
        at = {p[axis]: p for p in line}
        plans = {p[axis]: cell_plan(build, settings, points[0], p) for p in line}

        def run(value: int, rate: float, seed: int) -> float:
            key = (tuple(at[value].values()), rate, seed)
            if key not in losses:
                here = replace(settings, lr=rate)
                losses[key] = _short_run(build, at[value], seed, steps, found, here, plans[value])
            return losses[key]

        return sweep(axis, sorted(at), rates, run, seeds)

    axes = [k for k in points[0] if len({p[k] for p in points}) > 1]
    return tuple(along(axis) for axis in axes)


def _short_run(
    build: Builder,
    point: Mapping[str, int],
    seed: int,
    steps: int,
    found: Data,
    settings: Settings,
    plan: Plan | None,
) -> float:
    """Final loss, over the last tenth, of a run with warm-up and linear decay on fresh batches."""
    with same_random_state():
        torch.manual_seed(seed)
        model, optimizers = ready(build_at(build, point, "cpu"), settings, plan)
        groups = [g for o in optimizers for g in o.param_groups]
        peaks = [g["lr"] for g in groups]
        last = []
        for step in range(steps):
            done = (step + 1) / (steps + 1)
            for group, peak in zip(groups, peaks, strict=True):
                group["lr"] = peak * min(1.0, done / 0.1, (1 - done) / 0.3)
            model.zero_grad(set_to_none=True)
            loss = found.loss(model, found.draw(10_000 * (seed + 1) + step))
            if not math.isfinite(loss.item()):
                return math.nan
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer in optimizers:
                optimizer.step()
            if step >= steps - max(steps // 10, 1):
                last.append(loss.item())
    return sum(last) / len(last)


def drift_faults(gates: Sequence[Sweep]) -> list[Fault]:
    """What the second gate says against the model."""
    ways = {
        "width": "if the slopes are sound, look at warm-up and the number of steps: tune on a "
        "wider proxy, or let Study.transfer fit the drift",
        "depth": "slopes of a few steps do not see how layers act on each other over a run: tune "
        'on a deeper proxy, try rule="everett+completep(0.5)+sde", or let Study.transfer fit it',
    }
    return [
        Fault(
            "lr-drift",
            "the learning rate",
            gate.drift,
            gate.error,
            gate.axis,
            f"the best learning rate goes as {gate.axis}^{gate.drift:+.2f} in short runs; the "
            f"smallest scale's costs {100 * gate.regret:.2g} % at the largest",
            ways[gate.axis],
        )
        for gate in gates
        if gate.verdict == "do-not-trust"
    ]
