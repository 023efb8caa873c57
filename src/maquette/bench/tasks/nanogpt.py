"""nanoGPT speedruns: which recipe ends lowest, seen from the beginnings of the curves?

A config names one of a track's recipes (a folder of records); its rows are the logs of that folder.
Curves run from 1 to 20 twentieths of a run, so that runs of other lengths can be compared. Where a
log has no times, a step takes as long as in the median log of its track, or a tenth of a second.

References
----------
.. [1] K. Jordan et al. modded-nanogpt: speedrunning the NanoGPT baseline. 2024.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.runs import Runs, resample
from maquette.bench.task import Card, Task
from maquette.objective import Objective
from maquette.space import Choice, Space

_FILES = ("nanogpt_track3/runs.parquet", "nanogpt_track3/curves.parquet")
_CARD = Card(
    source="github.com/KellerJordan/modded-nanogpt, records/**.txt (f411b3d)",
    licence="MIT",
    references=("github.com/KellerJordan/modded-nanogpt",),
    files=_FILES,
)
_TRACKS = {
    "short": "track_1_short",
    "medium": "track_2_medium",
    "optimization": "track_3_optimization",
}
_PARTS = 20
_STEP = 0.1


def _load(task: str) -> Task:
    logs, points = (files.columns(name, "nanogpt") for name in _FILES)
    numbers = logs["run"][logs["track"] == _TRACKS[task]]
    folders = logs["folder"][logs["track"] == _TRACKS[task]].astype(str)
    steps = np.arange(1.0, _PARTS + 1)
    curves, seconds, length = [], [], []
    order = np.argsort(points["run"], kind="stable")
    ends = np.searchsorted(points["run"][order], numbers, side="right")
    starts = np.searchsorted(points["run"][order], numbers, side="left")
    for first, last in zip(starts, ends, strict=True):
        of = order[first:last]
        times = points["step"][of] / max(float(points["num_steps"][of][0]), 1.0) * _PARTS
        curves.append(resample(steps, times, points["val_loss"][of].astype(np.float64)))
        length.append(float(points["num_steps"][of][0]))
        seconds.append(_duration(points["train_ms"][of], points["step"][of]))
    each = np.array(seconds)
    timed = each[~np.isnan(each)]
    step = float(np.median(timed)) if timed.size else _STEP
    total = np.array(length) * np.where(np.isnan(each), step, each)
    recipes = sorted(set(folders))
    groups = [np.flatnonzero(folders == recipe) for recipe in recipes]
    runs = Runs(steps, {"val_loss": np.array(curves)}, total[:, None] * steps / _PARTS, groups)
    losses = runs.truth("val_loss")
    return Task(
        name=f"nanogpt/{task}",
        about=f"{len(recipes)} recipes for GPT-2, {len(numbers)} runs: the loss at the end",
        space=Space({"recipe": Choice(recipes)}),
        objective=Objective("val_loss"),
        card=_CARD,
        backend=runs,
        optimum=float(losses.min()),
        median=float(np.median(losses)),
        exact=True,
        rows=runs.rows,
        duration={"parts": (1, _PARTS)},
    )


def _duration(milliseconds: NDArray[Any], steps: NDArray[Any]) -> float:
    """Return the seconds that a step takes; NaN where a log has no times."""
    known = ~np.isnan(milliseconds) & (steps > 0)
    if not known.any():
        return float("nan")
    last = np.flatnonzero(known)[-1]
    return float(milliseconds[last] / 1000 / steps[last])


FAMILY = Family(
    "nanogpt",
    "recipes of the nanoGPT speedruns, with learning curves",
    "curves",
    _CARD,
    tuple(_TRACKS),
    _load,
    needs=("pyarrow",),
)
