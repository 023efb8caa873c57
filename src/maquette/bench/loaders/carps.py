"""carps: subsets of tasks, chosen by star discrepancy, that its users compare tuners on.

A subset is a folder of YAML files, one a task (``carps/configs/task/subselection/blackbox/dev``).
Of each, ``task_id`` and ``n_trials`` are read; the task itself is ours where there is one: BBOB,
FCNet and HPOBench-NN, YAHPO's LCBench and XGBoost, and HPO-B given its file. The others are named
with the reason.

References
----------
.. [1] C. Benjamins et al. carps: A Framework for Comparing N Hyperparameter Optimizers on M
       Benchmarks. arXiv:2506.06143, 2025.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from maquette.bench import catalogue
from maquette.bench.loaders import hpob
from maquette.bench.task import Task
from maquette.errors import BenchmarkError

_FCNET = {
    "NavalPropulsionBenchmark": "naval_propulsion",
    "ParkinsonsTelemonitoringBenchmark": "parkinsons_telemonitoring",
    "ProteinStructureBenchmark": "protein_structure",
    "SliceLocalizationBenchmark": "slice_localization",
}
# OpenML's numbers of HPOBench's data sets.
_HPOBENCH = {
    **{"146818": "australian", "10101": "blood_transfusion", "146821": "car", "31": "credit_g"},
    **{"3917": "kc1", "9952": "phoneme", "146822": "segment", "53": "vehicle"},
}
_PARTS = (
    (re.compile(r"bbob/(?:noiseless/)?(\d+)/(\d+)/(\d+)$"), "ioh/bbob-{1}-d{0}-i{2}"),
    (re.compile(r"yahpo/lcbench/(\d+)/None$"), "yahpo/lcbench-{0}"),
    (re.compile(r"yahpo/rbv2_xgboost/(\d+)/None$"), "yahpo/xgboost-{0}"),
    (re.compile(r"hpobench/.*/nas/(\w+)$"), "fcnet/{0}"),
    (re.compile(r"hpobench/.*/ml/nn/(\d+)$"), "hpobench/{0}"),
)
_HPOB = re.compile(r"hpob/\w+/(\d+)/(\d+)$")


@final
@dataclass(frozen=True, slots=True)
class Subset:
    """A subset of carps.

    Attributes
    ----------
    tasks
        Name in carps to task.
    trials
        Name in carps to the number of trials that carps grants it.
    missing
        Name in carps to why there is no such task here.
    """

    tasks: Mapping[str, Task]
    trials: Mapping[str, int]
    missing: Mapping[str, str]


def load(folder: Path | str, *, hpo_b: Path | str | None = None) -> Subset:
    """Return the tasks of a subset.

    Parameters
    ----------
    folder
        Of YAML files, one a task.
    hpo_b
        A file of HPO-B, for the tasks that lie in it.

    Raises
    ------
    BenchmarkError
        If there are no such files, or one of them names no task.
    """
    places = sorted(Path(folder).glob("*.yaml"))
    if not places:
        raise BenchmarkError(
            f"{folder} holds no file of carps",
            hint="for example carps/configs/task/subselection/blackbox/dev of its repository",
        )
    tasks: dict[str, Task] = {}
    trials: dict[str, int] = {}
    missing: dict[str, str] = {}
    for place in places:
        name, count = _read(place)
        trials[name] = count
        try:
            tasks[name] = _task(name, hpo_b)
        except BenchmarkError as error:
            missing[name] = error.problems[0]
    return Subset(tasks, trials, missing)


def _read(place: Path) -> tuple[str, int]:
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"{place} cannot be read: {error}") from error
    name = re.search(r"^task_id:\s*(\S+)\s*$", text, re.MULTILINE)
    count = re.search(r"^\s+n_trials:\s*(\d+)\s*$", text, re.MULTILINE)
    if name is None or count is None:
        raise BenchmarkError(f"{place} is no task of carps: it has no task_id, or no n_trials")
    return name[1], int(count[1])


def _task(name: str, hpo_b: Path | str | None) -> Task:
    found = _HPOB.search(name)
    if found is not None:
        if hpo_b is None:
            raise BenchmarkError("it lies in a file of HPO-B: give it as hpo_b=...")
        return hpob.load(hpo_b, *found.groups())
    for pattern, ours in _PARTS:
        match = pattern.search(name)
        if match is not None:
            first, *rest = match.groups()
            own = _FCNET.get(first) or (_HPOBENCH.get(first) if "hpobench" in ours else first)
            if own is None:
                break
            family, _, task = ours.format(own, *rest).partition("/")
            source = catalogue.family(family)
            # Of BBOB any dimension and instance can be made, not just those in the list.
            if task in source.tasks or family == "ioh":
                return source.load(task)
    raise BenchmarkError("there is no such task here")
