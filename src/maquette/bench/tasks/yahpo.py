"""YAHPO: neural networks fitted to measured runs of networks (LCBench) and boosted trees (RBv2).

``lcbench-ID`` tunes a network on an OpenML task, with a learning curve of 52 epochs [1, 2]; as in
the data, the accuracy is in percent. ``xgboost-ID`` tunes XGBoost, with conditions, on ten
replicates [1]; they are the rows. The surrogates are noiseless.

The networks take their inputs in an order of their own, which is not that of the configuration
space: it stands in `_SCENARIOS`, as YAHPO Gym declares it. Inactive numbers are 0 to them.

References
----------
.. [1] F. Pfisterer, L. Schneider, J. Moosbauer, M. Binder and B. Bischl. YAHPO Gym - An Efficient
       Multi-Objective Multi-Fidelity Benchmark for Hyperparameter Optimization. AutoML-Conf, 2022.
       arXiv:2109.03670.
.. [2] L. Zimmer, M. Lindauer and F. Hutter. Auto-PyTorch Tabular: Multi-Fidelity MetaLearning for
       Efficient and Robust AutoDL. IEEE TPAMI, 2021. arXiv:2006.13799.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.known import known
from maquette.bench.task import Array, Card, Measure, Measured, Rows, Task, all_done, one_report
from maquette.objective import Objective
from maquette.space import Choice, Float, Int, Space
from maquette.space.parameter import Parameter

_EPOCHS = 52
_REPLICATES = 10
_BATCH = 4096


@final
@dataclass(frozen=True, slots=True)
class Scenario:
    """One network.

    Parameters
    ----------
    folder
        Below ``yahpo/``.
    instance
        Name of the input that says which data set.
    cat, cont
        Other inputs in the network's order: those that are choices, after the data set, and those
        that are numbers.
    outputs
        What it returns, in order.
    ids
        The data sets.
    """

    folder: str
    instance: str
    cat: tuple[str, ...]
    cont: tuple[str, ...]
    outputs: tuple[str, ...]
    ids: tuple[str, ...]


_LCBENCH_IDS = (
    "3945 7593 34539 126025 126026 126029 146212 167104 167149 167152 167161 167168 167181 "
    "167184 167185 167190 167200 167201 168329 168330 168331 168335 168868 168908 168910 "
    "189354 189862 189865 189866 189873 189905 189906 189908 189909"
)
_RBV2_IDS = (
    "16 40923 41143 470 1487 40499 40966 41164 1497 40975 1461 41278 11 54 300 40984 31 1067 "
    "1590 40983 41163 41165 182 1220 41159 41169 42 188 1457 1480 6332 181 1479 40670 40536 "
    "41138 41166 6 14 29 458 1056 1462 1494 40701 12 1493 44 307 334 40982 41142 38 1050 469 "
    "23381 41157 15 4541 23 4134 40927 40981 41156 3 1049 40900 1063 23512 40979 1040 1068 "
    "41161 22 1489 41027 24 4135 23517 1053 1468 312 377 1515 18 1476 1510 41162 28 375 1464 "
    "40685 40996 41146 41216 40668 41212 32 60 4538 40496 41150 37 46 554 1475 1485 1501 1111 "
    "4534 41168 151 4154 40978 40994 50 1478 1486 40498"
)
_SCENARIOS = {
    "lcbench": Scenario(
        "lcbench",
        "OpenML_task_id",
        (),
        (
            *("epoch", "batch_size", "learning_rate", "momentum", "weight_decay"),
            *("num_layers", "max_units", "max_dropout"),
        ),
        (
            *("time", "val_accuracy", "val_cross_entropy", "val_balanced_accuracy"),
            *("test_cross_entropy", "test_balanced_accuracy"),
        ),
        tuple(_LCBENCH_IDS.split()),
    ),
    "xgboost": Scenario(
        "rbv2_xgboost",
        "task_id",
        ("booster", "num.impute.selected.cpo"),
        (
            *("nrounds", "eta", "gamma", "lambda", "alpha", "subsample", "max_depth"),
            *("min_child_weight", "colsample_bytree", "colsample_bylevel", "rate_drop"),
            *("skip_drop", "trainsize", "repl"),
        ),
        (
            *("acc", "bac", "auc", "brier", "f1", "logloss", "timetrain", "timepredict"),
            "memory",
        ),
        tuple(_RBV2_IDS.split()),
    ),
}
_CARD = Card(
    source="github.com/slds-lmu/yahpo_data (efdab90); LCBench from figshare 13286105",
    licence="Apache-2.0",
    references=("arXiv:2109.03670", "arXiv:2006.13799"),
    files=tuple(
        f"yahpo/{s.folder}/{part}"
        for s in _SCENARIOS.values()
        for part in ("config_space.json", "encoding.json", "model.onnx")
    ),
)


@final
class Network:
    """A surrogate, ready to be asked.

    Raises
    ------
    BenchmarkError
        If its files are missing, truncated or changed, or onnxruntime is not installed.
    """

    def __init__(self, scenario: Scenario) -> None:
        runtime = files.package("onnxruntime", "bench")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        file = files.path(f"yahpo/{scenario.folder}/model.onnx", "yahpo")
        self._session = runtime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
        self.encoding = _json(scenario, "encoding.json")

    def __call__(self, cat: Array, cont: Array) -> Array:
        """Evaluate codes (n, choices) and numbers (n, m): outputs (n, k)."""
        parts = [
            self._session.run(
                None,
                {
                    "x_cat": cat[i : i + _BATCH].astype(np.int32),
                    "x_cont": cont[i : i + _BATCH].astype(np.float32),
                },
            )[0]
            for i in range(0, len(cat), _BATCH)
        ]
        return np.concatenate(parts).astype(np.float64) if parts else np.empty((0, 1))


def _json(scenario: Scenario, name: str) -> Any:
    file = files.path(f"yahpo/{scenario.folder}/{name}", "yahpo")
    return json.loads(file.read_text(encoding="utf-8"))


def _space(scenario: Scenario) -> Space:
    """Return the space of the settings: without the data set and what is not tuned."""
    declared = _json(scenario, "config_space.json")
    left = {scenario.instance, "epoch", "trainsize", "repl"}
    when: dict[str, dict[str, list[Any]]] = {}
    for rule in declared["conditions"]:
        values = rule["values"] if rule["type"] == "IN" else [rule["value"]]
        when.setdefault(rule["child"], {})[rule["parent"]] = values
    return Space(
        {
            row["name"]: _parameter(row, when.get(row["name"]))
            for row in declared["hyperparameters"]
            if row["name"] not in left
        }
    )


def _parameter(row: Mapping[str, Any], when: Mapping[str, Any] | None) -> Parameter:
    if row["type"] == "categorical":
        return Choice(row["choices"], default=row["default"], when=when)
    if row["type"] == "uniform_int":
        return Int(row["lower"], row["upper"], log=row["log"], when=when)
    low, high = (float(f"{row[end]:.12g}") for end in ("lower", "upper"))  # 0.1, not 0.1000...02
    return Float(low, high, log=row["log"], when=when)


def _inputs(scenario: Scenario, space: Space, encoding: Mapping[str, Any]) -> Any:
    """Return a function from values (n, d) to codes and numbers in the network's order."""
    names = list(space)
    codes = [np.array([float(encoding[c][v]) for v in _choices(space[c])]) for c in scenario.cat]

    def order(values: Array) -> tuple[Array, Array]:
        cat = [
            code[values[:, names.index(c)].astype(np.int64)]
            for c, code in zip(scenario.cat, codes, strict=True)
        ]
        cont = [
            np.nan_to_num(values[:, names.index(c)]) if c in names else np.zeros(len(values))
            for c in scenario.cont
        ]
        return np.array(cat).reshape(len(cat), len(values)).T, np.stack(cont, axis=1)

    return order


def _choices(parameter: Parameter) -> Any:
    return parameter.values if isinstance(parameter, Choice) else ()


def _curves(scenario: Scenario, instance: str, space: Space) -> Measure:
    """LCBench: 52 epochs of a config."""
    network = Network(scenario)
    order = _inputs(scenario, space, network.encoding)
    code, steps = network.encoding[scenario.instance][instance], np.arange(1.0, _EPOCHS + 1)
    epoch = scenario.cont.index("epoch")

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del rows, scale
        _, cont = order(values)
        cont = np.repeat(cont, _EPOCHS, axis=0)
        cont[:, epoch] = np.tile(steps, len(values))
        out = network(np.full((len(cont), 1), float(code)), cont)
        shaped = out.reshape(len(values), _EPOCHS, -1)
        metrics = {name: shaped[..., k] for k, name in enumerate(scenario.outputs)}
        # The network's time may fall from one epoch to the next; a clock may not.
        seconds = np.maximum.accumulate(np.maximum(metrics.pop("time"), 0.0), axis=1)
        return Measured(steps, metrics, seconds, None, all_done(len(values)), seconds[:, -1])

    return measure


def _replicates(scenario: Scenario, instance: str, space: Space) -> Measure:
    """RBv2: one result of a config, on one replicate or as their mean."""
    network = Network(scenario)
    order = _inputs(scenario, space, network.encoding)
    code = network.encoding[scenario.instance][instance]
    size, repl = scenario.cont.index("trainsize"), scenario.cont.index("repl")

    def once(values: Array, replicate: Array) -> Array:
        cat, cont = order(values)
        cont[:, size], cont[:, repl] = 1.0, replicate
        data = np.full((len(values), 1), float(code))
        return network(np.concatenate([data, cat], axis=1), cont)

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del scale
        if rows is not None:
            out = once(values, (rows % _REPLICATES + 1).astype(np.float64))
        else:
            every = [once(values, np.full(len(values), k + 1.0)) for k in range(_REPLICATES)]
            out = np.asarray(np.mean(every, axis=0))
        metrics = {name: out[:, k] for k, name in enumerate(scenario.outputs)}
        return one_report(metrics, np.maximum(metrics["timetrain"], 0.0))

    return measure


def _load(task: str) -> Task:
    name, _, instance = task.partition("-")
    scenario = _SCENARIOS[name]
    space, best, curves = _space(scenario), known(f"yahpo/{task}"), name == "lcbench"
    return Task(
        name=f"yahpo/{task}",
        about=f"{'a network' if curves else 'XGBoost'} on the OpenML data {instance}",
        space=space,
        objective=Objective(maximize="val_accuracy" if curves else "acc"),
        card=_CARD,
        backend=(_curves if curves else _replicates)(scenario, instance, space),
        optimum=best.optimum,
        median=best.median,
        rows=1 if curves else _REPLICATES,
        duration={"epochs": (1, _EPOCHS)} if curves else {},
    )


FAMILY = Family(
    "yahpo",
    "surrogates of networks with learning curves, and of XGBoost with conditions",
    "surrogate",
    _CARD,
    tuple(f"{name}-{i}" for name, s in _SCENARIOS.items() for i in s.ids),
    _load,
    needs=("onnxruntime",),
)
