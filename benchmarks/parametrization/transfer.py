"""Where the best learning rate goes with width, depth, tokens and batch size, by several rules.

    python benchmarks/parametrization/transfer.py --out transfer.jsonl [--peers FOLDER]

Each cell (rule, width, depth, tokens, batch) is swept on half octaves about the optimum of the cell
before it in its chain; the grid grows outward while its best point is at an end. FOLDER is where
`pip install --no-deps --target` put `mup` and `unit-scaling` with what they need; without it those
two rules are left out. The order is that of TURNS: a run that is cut short has fewer seeds of what
is dear. One process, one thread; finished runs in the output are not repeated.
`transfer_summary.py` makes the tables.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path

import torch
from fitting import vertex
from torch.nn.functional import cross_entropy

from maquette.bench.live.char_transformer.data import VOCABULARY, load_text
from maquette.bench.live.char_transformer.model import EMBEDDING_STD, CharTransformer
from maquette.bench.live.char_transformer.train import rate
from maquette.nn import param_groups, plan, prepare

CONTEXT, BATCH, STEPS, VALIDATION = 32, 4, 200, 256
WIDTH, DEPTH, WEIGHT_DECAY = 64, 2, 0.1
WIDE = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)  # octaves about the expected optimum
NARROW = (-1.5, -0.5, 0.0, 0.5, 1.5)  # where runs are dear, and once another seed has been seen
ALL = ("auto", "sp", "mup-package", "unit-package", "none", "sde", "everett+completep(0.5)+sde")
LARGE = "auto, large embeddings"  # of standard deviation 1: they outweigh the branches at any depth
# Rules, seconds a run at most, and seeds: in this order, so that what is cut short is the rest.
TURNS = (
    (ALL, 2, (0, 1)),
    (("none", "sde"), 8, (0,)),
    (("auto",), 99, (0,)),
    (("auto",), 8, (1,)),
    ((LARGE,), 8, (0,)),
    (("none",), 8, (1,)),
    ((LARGE,), 8, (1,)),
    (("auto", "none"), 8, (2,)),
    (ALL, 8, (0, 1, 2)),
    (ALL, 99, (0, 1, 2)),
)
HALF_DEPTH = "everett+completep(0.5)+sde"


def build(width: int, depth: int) -> CharTransformer:
    return CharTransformer(width, depth, VOCABULARY, CONTEXT)


def ours(cell, lr):
    """By our plan; `horizon` cells name batch and tokens, so that Complete(d)P acts on them."""
    rule, width, depth, tokens, batch = cell
    base = {"width": WIDTH, "depth": DEPTH}
    target = {"width": width, "depth": depth}
    if rule == "sde":
        base |= {"batch": 1, "tokens": 1}
        target |= {"batch": batch, "tokens": tokens}
        rule = "auto"
    p = plan(build, base, target, rule="auto" if rule in ("none", LARGE) else rule)
    model = prepare(build(width, depth), p)
    if rule == LARGE:
        with torch.no_grad():
            model.token.weight.div_(EMBEDDING_STD)
            model.position.weight.div_(EMBEDDING_STD)
    return model, torch.optim.AdamW(
        param_groups(model, p, lr=lr, weight_decay=WEIGHT_DECAY), fused=True
    )


def mup_package(cell, lr):
    """As the package's README says: its readout, base shapes, its optimizer."""
    import mup

    _, width, depth, _, _ = cell

    class Model(CharTransformer):
        def __init__(self, width: int, depth: int) -> None:
            super().__init__(width, depth, VOCABULARY, CONTEXT)
            start = self.readout.weight
            self.readout = mup.MuReadout(width, start.shape[0], bias=False)
            self.readout.weight = start

    state = torch.get_rng_state()
    base, delta = Model(WIDTH, depth), Model(2 * WIDTH, depth)
    torch.set_rng_state(state)
    model = Model(width, depth)
    mup.set_base_shapes(model, base, delta=delta)
    model.readout._has_rescaled_params = True
    decayed = [p for n, p in model.named_parameters() if "norm" not in n]
    others = [p for n, p in model.named_parameters() if "norm" in n]
    groups = [
        {"params": decayed, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
    return model, mup.MuAdamW(groups, lr=lr, betas=(0.9, 0.95), eps=1e-8)


def unit_package(cell, lr):
    """The same transformer from the package's parts, and its optimizer.

    Its weight decay does not depend on the learning rate: a step shrinks by as much as ours does at
    the base's best rate, 2^-7.
    """
    import unit_scaling as uu
    import unit_scaling.functional as uf
    from unit_scaling.core.functional import transformer_residual_scaling_rule

    _, width, depth, _, _ = cell
    tau, branches = transformer_residual_scaling_rule(), 2 * depth

    class Attention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.proj = uu.Linear(width, 3 * width), uu.Linear(width, width)

        def forward(self, x):
            B, T, C = x.shape
            parts = self.qkv(x).view(B, T, 3 * (C // 16), 16).transpose(1, 2).chunk(3, dim=1)
            y = uf.scaled_dot_product_attention(*parts, is_causal=True)
            return self.proj(y.transpose(1, 2).reshape(B, T, C))

    class Block(torch.nn.Module):
        def __init__(self, i: int) -> None:
            super().__init__()
            self.tau1, self.tau2 = tau(2 * i, branches), tau(2 * i + 1, branches)
            self.norm1, self.norm2 = (uu.LayerNorm(width, bias=False) for _ in range(2))
            self.attention = Attention()
            self.up, self.down = uu.Linear(width, 4 * width), uu.Linear(4 * width, width)

        def forward(self, x):
            x, skip = uf.residual_split(x, self.tau1)
            x = uf.residual_add(self.attention(self.norm1(x)), skip, self.tau1)
            x, skip = uf.residual_split(x, self.tau2)
            return uf.residual_add(self.down(uf.gelu(self.up(self.norm2(x)))), skip, self.tau2)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.position = (
                uu.Embedding(VOCABULARY, width),
                uu.Embedding(CONTEXT, width),
            )
            self.blocks = uu.DepthSequential(*(Block(i) for i in range(depth)))
            self.norm = uu.LayerNorm(width, bias=False)
            self.readout = uu.LinearReadout(width, VOCABULARY)

        def forward(self, index):
            place = torch.arange(index.shape[-1])
            return self.readout(
                self.norm(self.blocks(uf.add(self.token(index), self.position(place))))
            )

    model = Model()
    optimizer = uu.optim.AdamW(
        model.parameters(), lr=lr, weight_decay=WEIGHT_DECAY * 2**-7, betas=(0.9, 0.95), eps=1e-8
    )
    return model, optimizer


def windows(data, batch, rng):
    first = torch.randint(len(data) - CONTEXT, (batch, 1), generator=rng)
    return data[first + torch.arange(CONTEXT + 1)].long()


def loss_on(model, index):
    return cross_entropy(model(index[:, :-1]).flatten(0, 1), index[:, 1:].flatten())


def run(text, cell, seed: int, octave: float) -> dict[str, float]:
    """Train once: warm-up, constant, decay to zero."""
    *_, tokens, batch = cell
    torch.manual_seed(seed)
    make = {"mup-package": mup_package, "unit-package": unit_package}.get(cell[0], ours)
    start = time.process_time()
    model, optimizer = make(cell, 2.0**octave)
    peaks = [g["lr"] for g in optimizer.param_groups]
    rng = torch.Generator().manual_seed(seed)
    steps = round(steps_of(cell) * tokens / batch)
    last = 0.0
    for step in range(steps):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * rate(step, steps)
        loss = loss_on(model, windows(text.train, BATCH * batch, rng))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            last = loss.item()
            if not last < 30:
                break
    held = torch.linspace(0, len(text.validation) - CONTEXT - 1, VALIDATION).long()
    index = text.validation[held[:, None] + torch.arange(CONTEXT + 1)].long()
    with torch.inference_mode():
        model.eval()
        value = sum(float(loss_on(model, part)) for part in index.split(32)) / (VALIDATION // 32)
    value = value if math.isfinite(value) and last < 30 else math.inf
    return {"loss": value, "cpu": time.process_time() - start, "load": os.getloadavg()[0]}


def steps_of(cell) -> int:
    """At 1x tokens and batch; horizons begin shorter, so that their longest can be afforded."""
    return STEPS if cell[0] not in ("none", "sde") else STEPS // 2


def chains(peers: bool):
    """Chains of (cell, expected shift of the optimum from the one before), cheapest cells first."""
    base = ("sp", WIDTH, DEPTH, 1, 1)
    unit = ("unit-package", WIDTH, DEPTH, 1, 1)
    out = []
    for rule in ("auto", "sp", *(("mup-package", "unit-package") if peers else ())):
        first = unit if rule == "unit-package" else base
        shift = -1.0 if rule == "sp" else 0.0
        out.append([(first, 0.0), *(((rule, w, DEPTH, 1, 1), shift) for w in (128, 256, 512))])
    for rule in ("auto", "sp", *(("unit-package",) if peers else ()), HALF_DEPTH):
        first = unit if rule == "unit-package" else base
        out.append([(first, 0.0), *(((rule, WIDTH, d, 1, 1), 0.0) for d in (4, 8, 16))])
    out.append([((LARGE, WIDTH, d, 1, 1), 0.0) for d in (DEPTH, 16)])
    for rule in ("none", "sde"):
        line = [
            ((rule if i else "none", WIDTH, DEPTH, t, 1), 0.0) for i, t in enumerate((1, 2, 4, 8))
        ]
        line += [((rule, WIDTH, DEPTH, 8, b), 0.5 if rule == "none" else 0.0) for b in (2, 4, 8)]
        out.append(line)
    return out


def cost(cell) -> float:
    """Rough seconds of a run."""
    _, width, depth, tokens, batch = cell
    work = {64: 4, 128: 8, 256: 24, 512: 82}[width] * depth / DEPTH
    return work * steps_of(cell) * tokens * (0.5 + 0.5 / batch) / 1000


class Sweeps:
    """Finished runs, and what to run next to sweep a cell."""

    def __init__(self, out: Path, text) -> None:
        self.out, self.text = out, text
        self.done: dict = {}
        for line in out.read_text().splitlines() if out.exists() else ():
            r = json.loads(line)
            self.done.setdefault((tuple(r["cell"]), r["seed"]), {})[r["octave"]] = r["loss"]

    def evaluate(self, cell, seed: int, octave: float) -> None:
        losses = self.done.setdefault((cell, seed), {})
        if octave not in losses:
            r = run(self.text, cell, seed, octave)
            with self.out.open("a") as f:
                f.write(json.dumps({"cell": cell, "seed": seed, "octave": octave} | r) + "\n")
            losses[octave] = r["loss"]

    def top(self, cell) -> float:
        return vertex({s: v for (c, s), v in self.done.items() if c == cell})

    def seen(self, cell) -> bool:
        return any(c == cell and len(v) >= len(NARROW) for (c, _), v in self.done.items())

    def sweep(self, cell, seed: int, centre: float, offsets) -> None:
        if len(self.done.get((cell, seed), ())) < len(NARROW):
            for offset in offsets:
                self.evaluate(cell, seed, centre + offset)
        losses = self.done[cell, seed]
        for _ in range(4):
            best = min(losses, key=losses.__getitem__)
            if best not in (min(losses), max(losses)):
                break
            self.evaluate(cell, seed, best + (0.5 if best == max(losses) else -0.5))
        print(seed, *cell, f"{self.top(cell):.2f} {min(losses.values()):.4f}", flush=True)

    def follow(self, chain, seed: int, dearest: float) -> None:
        """Sweep a chain's cells that are cheap enough, each about the one before it."""
        before = 0.0 if chain[0][0][0] == "unit-package" else -7.0
        for cell, shift in chain:
            before += shift
            seen = self.seen(cell)
            if cost(cell) < dearest:
                at = round(2 * (self.top(cell) if seen else before)) / 2
                self.sweep(cell, seed, at, NARROW if seen or cost(cell) > 4 else WIDE)
                seen = True
            before = self.top(cell) if seen else before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--peers", type=Path)
    o = parser.parse_args()
    if o.peers:
        sys.path.append(str(o.peers))
    torch.set_num_threads(1)
    sweeps = Sweeps(o.out, load_text())
    for rules, dearest, seeds in TURNS:
        for seed in seeds:
            for chain in chains(o.peers is not None):
                if chain[-1][0][0] in rules:
                    sweeps.follow(chain, seed, dearest)


if __name__ == "__main__":
    main()
