"""Is this model's parametrization stable, and if not, which tensor, and by which power?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import torch

from maquette.errors import PlanError, nearest
from maquette.nn.build import Builder, build_at, same_random_state, scales
from maquette.nn.checks import faults as rules
from maquette.nn.checks.batch import Data, Loss, data
from maquette.nn.checks.cell import Cell, run_cell
from maquette.nn.checks.faults import Fault, merged
from maquette.nn.checks.gate import drift_faults, sweeps
from maquette.nn.checks.optimizers import Own, Settings, cell_plan, settings_of
from maquette.nn.checks.result import Check, collapsed, judged
from maquette.nn.checks.slopes import Slope, slopes
from maquette.nn.layers import starred
from maquette.nn.roles import Anatomy, anatomy
from maquette.scaling.parametrization import Role, Table

WIDTHS = (64, 128, 256)
QUANTITIES = ("update", "activation", "given", "aligned", "scores", "output", "epsilon",
              "spectral", "update_rms", "logits", "sharpness")  # fmt: skip


class Options(TypedDict, total=False):
    """Further settings of a check."""

    roles: Mapping[str, Role]
    loss: Loss
    lr: float
    eps: float
    steps: int
    seeds: int
    seed: int
    sharpness: int
    sweep: int


_DEFAULTS: dict[str, Any] = {
    "lr": 2.0**-11,
    "eps": 1e-8,
    "steps": 4,
    "seeds": 3,
    "seed": 0,
    "sharpness": 0,
    "sweep": 0,
}


def check(
    build: Builder,
    widths: Sequence[int] = WIDTHS,
    depths: Sequence[int] = (),
    optimizer: str | type[torch.optim.Optimizer] | Own = "adamw",
    batch: Any = None,
    rule: str | Path | Table = "auto",
    **options: Unpack[Options],
) -> Check:
    """Train small models for a handful of steps and see what follows the width or the depth.

    For every tensor the effect of its update, rms((W_t - W_0) x), is fitted as a power of the
    width; a sound one has slope 0 (within 0.4 at these widths), a faulty one is off by 1/2 or 1.
    Activations before training, attention scores, Adam's epsilon, singular values of the updates
    and, with ``depths``, what residual branches add up to are fitted beside it.

    Parameters
    ----------
    build
        ``build(width=..., depth=...)`` returns the model; ``depth`` only if ``depths`` are given.
    widths, depths
        Where to build it; two widths or more. The smallest are the base.
    optimizer
        ``"adamw"``, ``"adam"``, ``"sgd"``, ``"muon"`` or their classes: parameter groups are made
        by ``rule``. Or a function of the model that returns an optimizer with your own groups,
        which is measured as it is; ``rule`` is then not used.
    batch
        Data for a step: ``(inputs, targets)``, a mapping of keyword arguments for a model that
        returns its loss, inputs alone, or a function of the number of the seed that returns one
        of these. ``None``: made up from the model's first layers. Few samples, 32 tokens or so,
        give the sharpest slopes.
    rule
        As in `maquette.nn.plan`.
    options
        ``roles`` as in `maquette.nn.plan`; ``loss``, a function of the model and a batch; ``lr``
        (2^-11) and ``eps`` (1e-8) at the base; ``steps`` (4) and ``seeds`` (3) of each short
        run, from ``seed`` (0) on; ``sharpness`` (0, off): iterations of the power method that finds
        how sharply the loss bends along the optimizer's steps; ``sweep`` (0, off): steps of the
        runs of the second gate, a sweep of learning rates over the widths, and over the depths
        where there are some.

    Returns
    -------
    Check
        Verdict, faults with their fixes, slopes, and the figure's data. Printed, it is a report.

    Raises
    ------
    PlanError
        The model cannot be built or run at these scales, the input cannot be made up, or the
        optimizer cannot be used; what to do about it.

    References
    ----------
    Yang et al. (2022), coordinate checks. arXiv:2203.03466. Everett et al. (2024).
    arXiv:2407.05872. Dey et al. (2025). arXiv:2505.01618. Yang, Simon, Bernstein (2023).
    arXiv:2310.17813.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small models lose by more
    try:
        return _check(build, (widths, depths), optimizer, batch, rule, options)
    finally:
        torch.set_num_threads(threads)


def _check(
    build: Builder,
    sizes: tuple[Sequence[int], Sequence[int]],
    optimizer: str | type[torch.optim.Optimizer] | Own,
    batch: Any,
    rule: str | Path | Table,
    options: Options,
) -> Check:
    start, (widths, depths) = time.perf_counter(), sizes
    chosen = {**_DEFAULTS, **options}
    points = _points(build, widths, depths, chosen)
    base, top = points[0], points[-1]
    given = settings_of(
        Settings(optimizer, rule, options.get("roles"), None, chosen["lr"], chosen["eps"])
    )
    with same_random_state():
        torch.manual_seed(0)
        model = build_at(build, base, "cpu")
        if not any(p.requires_grad for p in model.parameters()):
            raise PlanError(
                "build returns a model without a parameter to train",
                hint="a check trains it for a few steps: leave requires_grad true in build",
            )
        found = data(model, batch, options.get("loss"))
    args, kwargs = found.arguments()
    settings = replace(given, example=args or kwargs)
    body = _body(build, base, top, settings)
    cells = _cells(build, points, found, settings, chosen)
    all_slopes = _slopes(cells, body, bool(depths))
    entropy = _least_entropy(cells)
    gates = sweeps(build, points, found, settings, chosen) if chosen["sweep"] else ()
    faults = _faults(all_slopes, cells, body, entropy)
    faults += _spikes(cells) + drift_faults(gates)
    named = tuple(merged(faults))
    fitted = tuple(s for group in all_slopes.values() for s in group.values())
    return Check(
        judged(named, fitted, entropy),
        named,
        fitted,
        {} if body is None else {n: r.role for n, r in body.parameters.items()},
        tuple({**c.point, "seed": c.seed, "loss": list(c.losses)} for c in cells),
        entropy,
        found.made,
        time.perf_counter() - start,
        gates,
    )


def _points(
    build: Builder, widths: Sequence[int], depths: Sequence[int], chosen: Mapping[str, Any]
) -> list[dict[str, int]]:
    """Every cell, the smallest first; all problems at once."""
    problems = [
        f"no option {k!r}.{nearest(k, Options.__annotations__)}"
        for k in chosen
        if k not in Options.__annotations__
    ]
    if not isinstance(widths, Sequence) or not isinstance(depths, Sequence):
        raise PlanError(
            f"widths and depths are lists of whole numbers, not {widths!r} and {depths!r}",
            hint="check(build, widths=[64, 128, 256], depths=[2, 4])",
        )
    for name, values in (("widths", widths), ("depths", depths)):
        wrong = [v for v in values if isinstance(v, bool) or not isinstance(v, int) or v < 1]
        problems += [f"{name}: {v!r} is not a positive whole number" for v in wrong]
    if len(set(widths)) < 2:
        problems.append(f"widths must be two or more different ones, not {list(widths)}")
    for name, least in (("steps", 1), ("seeds", 1), ("sharpness", 0)):
        if not isinstance(chosen[name], int) or chosen[name] < least:
            problems.append(f"{name} must be a whole number, {least} or more, not {chosen[name]!r}")
    if not chosen["lr"] > 0:
        problems.append(f"lr must be positive, not {chosen['lr']!r}")
    if problems:
        raise PlanError(problems, hint="check(build, widths=[64, 128, 256], depths=[2, 4])")
    out = [
        {"width": w, "depth": d} if d else {"width": w}
        for d in (sorted(set(depths)) or [0])
        for w in sorted(set(widths))
    ]
    scales(build, out[0], out[-1])
    return out


def _body(
    build: Builder, base: Mapping[str, int], top: Mapping[str, int], settings: Settings
) -> Anatomy | None:
    """Roles and residual branches; none where roles cannot be told and are not needed."""
    try:
        return anatomy(build, scales(build, base, top), settings.example, settings.roles)
    except PlanError as error:
        ignored = any("build ignores it" in p for p in error.problems)
        if settings.own is None or ignored:
            raise
        return None


def _cells(
    build: Builder,
    points: Sequence[Mapping[str, int]],
    found: Data,
    settings: Settings,
    chosen: Mapping[str, Any],
) -> list[Cell]:
    cells = []
    for point in points:
        worked_out = cell_plan(build, settings, points[0], point)
        for seed in range(chosen["seed"], chosen["seed"] + chosen["seeds"]):
            counts = (chosen["steps"], chosen["sharpness"])
            cells.append(run_cell(build, point, seed, counts, found, settings, worked_out))
    return cells


def _slopes(
    cells: Sequence[Cell], body: Anatomy | None, deep: bool
) -> dict[tuple[str, str], dict[str, Slope]]:
    out = {(q, "width"): slopes(cells, q, "width") for q in QUANTITIES}
    if deep:
        template: Callable[[str], str] = body.layers.template if body else starred
        out["update", "depth"] = slopes(cells, "update", "depth", template)
        out["output", "depth"] = slopes(cells, "output", "depth")
    return out


def _faults(
    found: Mapping[tuple[str, str], Mapping[str, Slope]],
    cells: Sequence[Cell],
    body: Anatomy | None,
    entropy: Mapping[str, float],
) -> list[Fault]:
    """Apply every rule; updates that are off behind a faulty activation follow from it."""
    outputs = {n: {c.outputs[n] for c in cells if n in c.outputs} for n in cells[0].outputs}
    roles = {} if body is None else {n: str(r.role) for n, r in body.parameters.items()}
    of = {q: found[q, "width"] for q in QUANTITIES}
    first = rules.activation_faults(
        of["activation"], of["given"], lambda n: len(outputs.get(n, ())) == 1
    )
    first += rules.attention_faults(of["aligned"])
    moved = rules.update_faults(of["update"], roles)
    # A shared matrix scaled by the wrong role is off before training, too.
    tied = {f.where.rpartition(".")[0] for f in moved if f.code == "tied"}
    first = [replace(f, follows=f.follows or f.where in tied) for f in first]
    caused = any(f.code == "activation" and not f.follows for f in first)
    first = [replace(f, follows=f.follows or (caused and f.code == "attention")) for f in first]
    starved = rules.epsilon_faults(of["epsilon"])
    swamped = {f.where for f in starved}
    out = first + [
        replace(f, follows=caused or (f.where in swamped and f.exponent < 0)) for f in moved
    ]
    out += [replace(f, follows=caused) for f in starved]
    named = {f.where.partition(" (")[0] for f in out}
    widths = {n: {c.shapes[n] for c in cells if n in c.shapes} for n in cells[0].shapes}

    def hidden(name: str) -> bool:
        shapes = widths.get(name, set())
        return bool(shapes) and all(len({s[i] for s in shapes}) > 1 for i in (0, 1))

    late = rules.spectral_faults(of["spectral"], hidden, named)
    late += rules.warnings_of(of["scores"], of["output"], named)
    late += rules.sharpness_faults(of["sharpness"])
    out += [replace(f, follows=bool(out)) for f in late]
    out += collapsed(entropy)
    if ("update", "depth") in found and body is not None:
        names = {body.layers.template(e) for b in body.branches for e in b.ends}
        ends = {n: s for n, s in found["update", "depth"].items() if n in names}
        out += rules.depth_faults(ends)
    return out


def _least_entropy(cells: Sequence[Cell]) -> dict[str, float]:
    least: dict[str, float] = {}
    for cell in cells:
        for name, value in cell.values["entropy"].items():
            least[name] = min(value, least.get(name, 1.0))
    return least


def _spikes(cells: Sequence[Cell]) -> list[Fault]:
    """Runs whose loss rose, or was lost."""
    bad = []
    for cell in cells:
        first, rest = cell.losses[0], cell.losses[1:]
        if not all(map(math.isfinite, rest)) or max(rest) > 1.2 * first + 0.1:
            bad.append(cell)
    if not bad:
        return []
    where = ", ".join(dict.fromkeys(", ".join(f"{k} {v}" for k, v in c.point.items()) for c in bad))
    return [
        Fault(
            "spike",
            where,
            math.nan,
            math.nan,
            "width",
            f"the loss rose within {len(bad[0].losses) - 1} steps at {where}",
            "check with a lower lr; a rise at large widths alone says that the rate is too high "
            "there",
        )
    ]
