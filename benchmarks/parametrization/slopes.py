"""Do the rules hold every optimizer's updates still as the width grows?

    python benchmarks/parametrization/slopes.py --out slopes.json

For each optimizer and rule: six steps of the character transformer at four widths and three seeds;
then, for every linear layer, the slope of log2 rms((W_t - W_0) x) against log2 width. The tables
say 0 for every layer; "sp", settings copied, shows what they mend. Lion, LAMB, Shampoo, SOAP and
K-FAC are written out here and in matrix.py, since torch has none of them. K-FAC has no table of its
own: it is given that of Shampoo with half powers, whose update is of the same order.
"""

from __future__ import annotations

import argparse
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import torch
from matrix import Kfac, Shampoo, Soap

from maquette.bench.live.char_transformer.data import load_text
from maquette.bench.live.char_transformer.model import build
from maquette.bench.live.char_transformer.train import loss_on, windows
from maquette.nn import param_groups, plan, prepare

DEPTH, STEPS = 2, 6


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            b1, b2 = g["betas"]
            for p in g["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p.mul_(1 - g["lr"] * g["weight_decay"])
                p.sub_(g["lr"] * (b1 * m + (1 - b1) * p.grad).sign())
                m.lerp_(p.grad, 1 - b2)


class Lamb(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0):
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            b1, b2 = g["betas"]
            for p in g["params"]:
                s = self.state[p]
                m = s.setdefault("m", torch.zeros_like(p))
                v = s.setdefault("v", torch.zeros_like(p))
                t = s["t"] = s.get("t", 0) + 1
                m.lerp_(p.grad, 1 - b1)
                v.lerp_(p.grad**2, 1 - b2)
                r = m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + g["eps"])
                r = r + g["weight_decay"] * p
                p.sub_(g["lr"] * p.norm() / r.norm() * r)


KINDS = {
    "adamw": (torch.optim.AdamW, 2**-8),
    "sgd": (torch.optim.SGD, 2**-4),
    "lion": (Lion, 2**-9),
    "adafactor": (torch.optim.Adafactor, 2**-6),
    "lamb": (Lamb, 2**-6),
    "muon": (torch.optim.Muon, 2**-6),
    "shampoo": (Shampoo, 2**-6),
    "shampoo-half": (partial(Shampoo, p=0.5), 2**-14),
    "soap": (Soap, 2**-8),
    "kfac": (Kfac, 2**-12),
}
TABLES = {"kfac": "shampoo-half"}
EPS = {"soap": 1e-8}  # in a rotated basis entries that are rounding errors must not count


def moved(text, optimizer: str, rule: str, widths: tuple[int, int], seed: int) -> dict[str, float]:
    base, width = widths
    p = plan(
        build,
        {"width": base, "depth": DEPTH},
        {"width": width, "depth": DEPTH},
        rule=rule,
        optimizer=TABLES.get(optimizer, optimizer),
    )
    torch.manual_seed(seed)
    model = prepare(build(width, DEPTH), p)
    layers = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    before = {n: m.weight.detach().clone() for n, m in layers.items()}
    kind, lr = KINDS[optimizer]
    if kind is Kfac:
        Kfac.watch(layers.values())
    steppers = []
    for part in dict.fromkeys(row.optimizer for row in p.parameters.values()):
        own = part == TABLES.get(optimizer, optimizer)
        groups = param_groups(
            model, p, lr=lr if own else KINDS["adamw"][1], eps=EPS.get(optimizer, 1e-12), part=part
        )
        steppers.append((kind if own else torch.optim.AdamW)(groups))
    rng = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        model.zero_grad()
        loss_on(model, windows(text.train, 8, rng)).backward()
        for s in steppers:
            s.step()
    found = {}
    for n, m in layers.items():
        m.register_forward_hook(
            lambda m, x, y, n=n: found.__setitem__(
                n, float((x[0] @ (m.weight - before[n]).T).pow(2).mean().sqrt())
            )
        )
    with torch.no_grad():
        model(windows(text.train, 8, torch.Generator().manual_seed(999))[:, :-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--optimizers", nargs="+", default=list(KINDS))
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--seeds", type=int, default=3)
    o = parser.parse_args()
    torch.set_num_threads(1)
    text = load_text()
    out = json.loads(o.out.read_text()) if o.out.exists() else {}
    x = np.log2(o.widths)
    for optimizer in o.optimizers:
        for rule in ("sp", "everett", "mup"):
            y = []
            for width in o.widths:
                runs = [
                    moved(text, optimizer, rule, (o.widths[0], width), s) for s in range(o.seeds)
                ]
                y.append([np.mean([math.log2(r[n]) for r in runs]) for n in runs[0]])
            fitted = np.polyfit(x, np.array(y), 1)[0]
            slopes = dict(zip(runs[0], (round(float(v), 3) for v in fitted), strict=True))
            out[f"{optimizer} {rule}"] = slopes
            hidden = [v for n, v in slopes.items() if n != "readout"]
            print(
                f"{optimizer:10} {rule:8} hidden {min(hidden):+.2f} to {max(hidden):+.2f}, "
                f"median {np.median(hidden):+.2f}; readout {slopes['readout']:+.2f}",
                flush=True,
            )
            o.out.write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
