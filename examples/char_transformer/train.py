"""Train the character transformer: warm-up, constant, decay; AdamW; one CPU thread.

    python -m char_transformer.train --width 64 --depth 2 --tokens 1e6

The model and the optimizer are built by the caller, so a hyperparameter study decides both, and
this file trains what it is given.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .data import VOCABULARY, Text, load_text
from .model import CONTEXT, build

WARMUP, DECAY = 0.1, 0.3  # fractions of the run
REPORTS = 20  # progress reports in one run
VALIDATION = 512  # held-out sequences

Report = Callable[[int, float], object]


def rate(step: int, steps: int) -> float:
    """Warm-up, constant, linear decay to zero: the factor of the learning rate at ``step``."""
    done = (step + 1) / (steps + 1)
    return min(1.0, done / WARMUP, (1 - done) / DECAY)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    text: Text,
    batch: int,
    tokens: float,
    seed: int = 0,
    report: Report | None = None,
) -> dict[str, float]:
    """Train in place, one pass over random windows, and measure the loss on held-out text.

    Parameters
    ----------
    model
        Maps ``(B, T)`` indices to ``(B, T, vocabulary)`` logits.
    optimizer
        The learning rates of its groups are peaks; the schedule multiplies them.
    text
        From `load_text`.
    batch, tokens
        Sequences of 64 characters in a step, and characters seen in the whole run.
    seed
        Of the order of the text. Runs with one seed and batch see the same text.
    report
        Called as ``report(step, loss)`` twenty times in a run, with the mean training loss (nats a
        character, text not seen before) since the last call. A false answer other than ``None``
        ends the run early.

    Returns
    -------
    dict
        ``loss``: nats a character on 512 fixed held-out sequences, NaN if training diverged;
        ``steps``, ``tokens``, ``seconds``, ``params``; ``finished``: 1 when the schedule ran to
        its end.
    """
    steps = max(1, round(tokens / (batch * CONTEXT)))
    every = max(1, steps // REPORTS)
    rng = torch.Generator().manual_seed(seed)
    peaks = [float(group["lr"]) for group in optimizer.param_groups]
    start, step, total, diverged, stopped = time.perf_counter(), 0, 0.0, False, False
    model.train()
    while step < steps and not (diverged or stopped):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * rate(step, steps)
        index = windows(text.train, batch, rng)
        loss = loss_on(model, index)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        step += 1
        total += loss.item()
        diverged = not total < 10 * math.log(VOCABULARY) * every
        if step % every == 0 and not diverged and step < steps:
            answer = report(step, total / every) if report else None
            stopped = answer is not None and not answer
            total = 0.0
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak
    value = math.nan if diverged else evaluate(model, text)
    return {
        "loss": value,
        "steps": step,
        "tokens": step * batch * CONTEXT,
        "seconds": time.perf_counter() - start,
        "params": sum(p.numel() for p in model.parameters()),
        "finished": float(step == steps and not diverged),
    }


def windows(data: Tensor, batch: int, rng: torch.Generator) -> Tensor:
    """Random windows of one context and the character after it: ``(batch, CONTEXT + 1)``."""
    first = torch.randint(len(data) - CONTEXT, (batch, 1), generator=rng)
    return data[first + torch.arange(CONTEXT + 1)].long()


def loss_on(model: nn.Module, index: Tensor) -> Tensor:
    """Mean nats a character of predicting each next one."""
    logits = model(index[:, :-1])
    return cross_entropy(logits.flatten(0, 1), index[:, 1:].flatten())


@torch.inference_mode()
def evaluate(model: nn.Module, text: Text, sequences: int = VALIDATION) -> float:
    """Loss on evenly spaced windows of the held-out text: the same at every call."""
    model.eval()
    first = torch.linspace(0, len(text.validation) - CONTEXT - 1, sequences).long()
    index = text.validation[first[:, None] + torch.arange(CONTEXT + 1)].long()
    parts = torch.split(index, 32)
    total = sum(float(loss_on(model, part)) * len(part) for part in parts)
    model.train()
    return total / sequences


def main() -> None:
    """Train once with the settings of the command line and print the result."""
    parser = argparse.ArgumentParser(prog="char_transformer.train", description=__doc__)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--tokens", type=float, default=1e6)
    parser.add_argument("--lr", type=float, default=2**-7)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--text", help="a file or folder; default: Python's standard library")
    o = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(o.seed)
    model = build(o.width, o.depth)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=o.lr, weight_decay=o.weight_decay, betas=(0.9, 0.95), fused=True
    )

    def show(step: int, loss: float) -> None:
        print(f"step {step:6d}  loss {loss:.4f}", flush=True)

    result = train(model, optimizer, load_text(o.text), o.batch, o.tokens, o.seed, show)
    print("  ".join(f"{key} {value:.6g}" for key, value in result.items()))


if __name__ == "__main__":
    main()
