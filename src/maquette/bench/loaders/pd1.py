"""PD1: four optimizer settings of 24 deep networks, with learning curves.

The files are those of the release (``pd1_matched_phase1_results.jsonl.gz``, ...): one JSON object a
run, with ``study_group``, ``hps.*``, lists ``epoch`` and ``valid/error_rate``, and ``status``.
Seconds are the ``eval_time`` of an epoch added up; where that is missing, one an evaluation.

References
----------
.. [1] Z. Wang, G. E. Dahl, K. Swersky, et al. Pre-trained Gaussian Processes for Bayesian
       Optimization. JMLR 25, 2024. arXiv:2109.08215.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maquette.bench.loaders import pool
from maquette.bench.runs import resample
from maquette.bench.task import Card, Task
from maquette.errors import BenchmarkError
from maquette.objective import Objective
from maquette.space import Float, Space

CARD = Card("storage.googleapis.com/gresearch/pint/pd1.tar.gz", "CC BY 4.0", ("arXiv:2109.08215",))
SPACE = Space(
    {
        "lr_initial_value": Float(1e-5, 10.0, log=True),
        "lr_power": Float(0.1, 2.0),
        "lr_decay_steps_factor": Float(0.01, 0.99),
        "one_minus_momentum": Float(1e-3, 1.0, log=True),
    }
)
_POINTS = 50


def load(*paths: Path | str) -> dict[str, Task]:
    """Return a task for each study group of the files, by its name.

    Raises
    ------
    BenchmarkError
        If a file is missing, truncated, or has another form.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for path in paths:
        for run in pool.read_lines(path):
            try:
                groups.setdefault(run["study_group"], []).append(run)
            except (KeyError, TypeError) as error:
                raise BenchmarkError(f"{path} is no file of PD1: {error!r}") from error
    try:
        return {name: _task(name, runs) for name, runs in groups.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise BenchmarkError(f"{paths} are no files of PD1: {error!r}") from error


def _task(name: str, runs: Sequence[Mapping[str, Any]]) -> Task:
    full = max(max(run["epoch"], default=0.0) for run in runs)
    steps = np.linspace(full / _POINTS, full, _POINTS)
    curves, seconds = [], []
    for run in runs:
        epochs = np.array(run["epoch"], dtype=np.float64)
        errors = np.array(
            [np.nan if e is None else e for e in run["valid/error_rate"]], dtype=np.float64
        )
        curve = (
            resample(steps, epochs, errors)
            if np.isfinite(errors).any()
            else np.full(_POINTS, np.nan)
        )
        reached = epochs.max(initial=0.0)
        # A diverged run has no value after its last evaluation.
        curves.append(np.where((steps > reached) & (run["status"] == "diverged"), np.nan, curve))
        each = run.get("eval_time") or [1.0] * len(epochs)
        total = np.cumsum(np.array(each, dtype=np.float64))
        seconds.append(np.interp(steps, epochs, total) if len(epochs) else steps)
    table = pool.Pool(
        [_config(run) for run in runs], steps, {"error": np.array(curves)}, np.array(seconds)
    )
    return pool.task(f"pd1/{name}", table, SPACE, Objective("error"), f"optimizer of {name}", CARD)


def _config(run: Mapping[str, Any]) -> dict[str, float]:
    return {
        "lr_initial_value": float(run["hps.lr_hparams.initial_value"]),
        "lr_power": float(run["hps.lr_hparams.power"]),
        "lr_decay_steps_factor": float(run["hps.lr_hparams.decay_steps_factor"]),
        "one_minus_momentum": 1.0 - float(run["hps.opt_hparams.momentum"]),
    }
