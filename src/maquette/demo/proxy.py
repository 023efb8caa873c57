"""The function that the demo's study runs, for proxies and targets alike.

PyTorch is loaded with this module, once in the server that jobs are forked from, not in each job.
What all runs share lies in ``setup.json`` beside the trials' folders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from maquette import nn
from maquette.bench.live.tuned import plan_of, read_text, tuned_run
from maquette.demo.design import Design
from maquette.files import write_whole
from maquette.trial import Trial

SETUP = "setup.json"


def train_proxy(trial: Trial) -> dict[str, float]:
    """Train to the end, or until the study stops the run; return the held-out loss."""
    setup = json.loads((trial.folder.parent / SETUP).read_text())
    config = {**setup["fixed"], **trial.config}
    rule = str(config.pop("rule", "auto"))
    plan = nn.Plan.from_json(setup["plans"][_key(rule, trial.scale)])

    def report(done: float, loss: float) -> bool:
        return bool(trial.report(done, loss=loss))

    text = read_text(Path(setup["text"]))
    return tuned_run(config, trial.scale, plan, text, setup["seed"], report)


def write_setup(design: Design, text: Path, seed: int, *folders: Path) -> None:
    """Write what all runs share into the folders that hold the trials' folders.

    `text` is the folder that `write_text` filled.
    All runs have one seed: they differ by their settings alone, so their differences carry less
    noise than the losses themselves.
    """
    scale = design.scale
    plans = {}
    for cell in (*scale.cells, scale.target):
        key = _key("auto", cell)
        if key not in plans:
            plans[key] = plan_of("auto", scale.base, cell).to_json()
    plans[_key("sp", scale.target)] = plan_of("sp", scale.base, scale.target).to_json()
    setup = {"fixed": dict(design.fixed), "seed": seed, "text": str(text), "plans": plans}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / SETUP, json.dumps(setup))


def _key(rule: str, scale: Mapping[str, float]) -> str:
    return f"{rule} {int(scale['width'])} {int(scale['depth'])}"
