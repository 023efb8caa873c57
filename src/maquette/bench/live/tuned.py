"""One run of the character transformer with the settings that a study hands it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from maquette import nn
from maquette.bench.live.char_transformer.data import Text, load_text
from maquette.bench.live.char_transformer.model import CONTEXT, build
from maquette.bench.live.char_transformer.train import train

Report = Callable[[float, float], object]

# The first optimizer of a process takes a second of imports: here once, before jobs are forked.
torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


def write_text(folder: Path, text: str | None = None) -> None:
    """Read a text once and keep it as it is trained on: ``train.bin`` and ``validation.bin``."""
    loaded = load_text(text)
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", loaded.train), ("validation", loaded.validation)):
        (folder / f"{name}.bin").write_bytes(part.numpy().tobytes())


def read_text(folder: Path) -> Text:
    """Map what `write_text` wrote into memory; nothing is copied."""
    parts = []
    for name in ("train", "validation"):
        file = folder / f"{name}.bin"
        size = file.stat().st_size
        parts.append(torch.from_file(str(file), shared=False, size=size, dtype=torch.uint8))
    return Text(parts[0], parts[1], str(folder))


def plan_of(rule: str, base: Mapping[str, float], scale: Mapping[str, float]) -> nn.Plan:
    """Return how settings are carried from the base to a scale.

    Parameters
    ----------
    rule
        ``"auto"``: by the parametrization. ``"sp"``: unchanged.
    base, scale
        Cells with ``width`` and ``depth``; batch size and tokens are left to the drift model.
    """
    shapes = [{k: int(cell[k]) for k in ("width", "depth")} for cell in (base, scale)]
    return nn.plan(build, base=shapes[0], target=shapes[1], rule=rule, optimizer="adamw")


def tuned_run(
    config: Mapping[str, Any],
    scale: Mapping[str, float],
    plan: nn.Plan,
    text: Text,
    seed: int = 0,
    report: Report | None = None,
) -> dict[str, float]:
    """Train once; everything that is random comes from the seed.

    Parameters
    ----------
    config
        ``lr``, ``weight_decay``, ``init_scale`` and ``batch`` (sequences), in the base model's
        units.
    scale
        ``width``, ``depth`` and ``tokens`` of this run.
    plan
        From `plan_of`, for this scale.
    text
        What is trained and measured on.
    seed
        Of initialisation and of the order of the text.
    report
        Called with the fraction of the run that is done and the training loss there; a false
        answer other than None ends the run.

    Returns
    -------
    dict
        ``loss`` (nats a character on held-out text; NaN: diverged), ``tokens``, ``params``,
        ``seconds`` and ``cpu_seconds``.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    batch, tokens = int(config["batch"]), float(scale["tokens"])
    model = build(width=int(scale["width"]), depth=int(scale["depth"]))
    nn.prepare(model, plan, init_scale=float(config["init_scale"]))
    lr, weight_decay = float(config["lr"]), float(config["weight_decay"])
    groups = nn.param_groups(model, plan, lr=lr, weight_decay=weight_decay)
    optimizer = torch.optim.AdamW(groups, fused=True)

    def tell(step: int, loss: float) -> object:
        done = min(1.0, step * batch * CONTEXT / tokens)
        return None if report is None else report(done, loss)

    began = time.process_time()
    result = train(model, optimizer, text, batch, tokens, seed, tell)
    kept = {name: result[name] for name in ("loss", "tokens", "params", "seconds")}
    return {**kept, "cpu_seconds": time.process_time() - began}
