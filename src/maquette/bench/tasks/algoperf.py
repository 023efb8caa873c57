"""AlgoPerf: which submission and setting ends best, seen from the beginnings of the curves?

A config names one of the settings with which a training algorithm was submitted for a workload;
its rows are the studies that repeated it. Curves run from 1 to 40 fortieths of the time that all
but the slowest tenth of the workload's runs took; what was last measured by then counts. Its
metric is the one of the benchmark [1].

References
----------
.. [1] G. E. Dahl, F. Schneider, Z. Nado, et al. Benchmarking Neural Network Training Algorithms.
       arXiv:2306.07179, 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.runs import Runs, resample
from maquette.bench.task import Card, Task
from maquette.objective import Objective
from maquette.space import Choice, Space

_FILES = ("algoperf/runs.parquet", "algoperf/curves.parquet")
_CARD = Card(
    source="github.com/mlcommons/submissions_algorithms, logs of v0.5 and v0.6 (12c8e4e)",
    licence="Apache-2.0",
    references=("arXiv:2306.07179",),
    files=_FILES,
)
# Metric on validation data, and whether it is maximised, by the start of a workload's name.
_METRICS = {
    "criteo1tb": ("loss", False),
    "fastmri": ("ssim", True),
    "imagenet": ("accuracy", True),
    "librispeech": ("wer", False),
    "ogbg": ("mean_average_precision", True),
    "wmt": ("bleu", True),
}
_WORKLOADS = tuple(
    f"{name}_{framework}"
    for name in (
        *("criteo1tb", "criteo1tb_embed_init", "fastmri", "fastmri_tanh", "imagenet_resnet"),
        *("imagenet_resnet_large_bn_init", "imagenet_vit", "librispeech_conformer"),
        *("librispeech_conformer_layernorm", "librispeech_deepspeech", "ogbg", "ogbg_model_size"),
        *("wmt", "wmt_glu_tanh"),
    )
    for framework in ("jax", "pytorch")
)
_PARTS = 40
_SHARE = 0.9


def _load(workload: str) -> Task:
    logs, points = (files.columns(name, "algoperf") for name in _FILES)
    metric, larger = _METRICS[workload.partition("_")[0]]
    values = points[f"validation/{metric}"].astype(np.float64)
    order = np.argsort(points["run"], kind="stable")
    chosen = np.flatnonzero(logs["workload"] == workload)
    bounds = [
        np.searchsorted(points["run"][order], logs["run"][chosen], side=side)
        for side in ("left", "right")
    ]
    measured = [order[a:b][~np.isnan(values[order[a:b]])] for a, b in zip(*bounds, strict=True)]
    kept = [i for i, of in enumerate(measured) if len(of) > 1]
    times = [points["sub_time"][measured[i]].astype(np.float64) for i in kept]
    full = float(np.quantile([t.max() for t in times], _SHARE))
    steps = np.arange(1.0, _PARTS + 1)
    seconds = full * steps / _PARTS
    curves = [resample(seconds, t, values[measured[i]]) for i, t in zip(kept, times, strict=True)]
    keys = np.array([_setting(logs, int(chosen[i])) for i in kept])
    settings = sorted(set(keys.tolist()))
    runs = Runs(
        steps,
        {metric: np.array(curves)},
        np.broadcast_to(seconds, (len(kept), _PARTS)),
        [np.flatnonzero(keys == key) for key in settings],
    )
    losses = (-1.0 if larger else 1.0) * runs.truth(metric)
    return Task(
        name=f"algoperf/{workload}",
        about=f"{len(settings)} submitted settings, {len(kept)} runs: {metric} at the end",
        space=Space({"setting": Choice(_labels(settings))}),
        objective=Objective(maximize=metric) if larger else Objective(metric),
        card=_CARD,
        backend=runs,
        optimum=float(losses.min()),
        median=float(np.median(losses)),
        exact=True,
        rows=runs.rows,
        duration={"parts": (1, _PARTS)},
    )


def _setting(logs: Mapping[str, NDArray[Any]], run: int) -> str:
    """Return what the runs of one submitted setting have in common."""
    names = ("leaderboard", "ruleset", "submission", "hparams")
    return "\t".join(str(logs[name][run]) for name in names)


def _labels(settings: Sequence[str]) -> list[str]:
    """Number the settings of each submission: ``algoperf_v05/external_tuning/amos/3``."""
    submissions = ["/".join(setting.split("\t")[:3]) for setting in settings]
    return [f"{s}/{submissions[:i].count(s) + 1}" for i, s in enumerate(submissions)]


FAMILY = Family(
    "algoperf",
    "submissions to the AlgoPerf competition, with learning curves",
    "curves",
    _CARD,
    _WORKLOADS,
    _load,
    needs=("pyarrow",),
)
