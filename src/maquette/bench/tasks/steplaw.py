"""Step Law: learning rate and batch size of dense language models, 1,911 trainings in 17 cells.

A cell is a number N of non-embedding parameters and a number D of tokens; in each, a grid of about
12 learning rates and 10 batch sizes was trained [1]. A config is measured as the nearest training
of its cell, in logarithms. ``steplaw/transfer`` holds all cells up to the largest: what do the
small ones say about (1.07e9, 5.69e10)? ``steplaw/to-429M-8B`` and its like hold the six smallest
cells and one target, four to seventy times as dear as the cheapest. Batch sizes are in sequences of
2,048 tokens.

Differences under about 0.05 % are noise: each config was trained once. Seconds are those of a
machine that does 1e15 operations a second, 6 N D operations a run.

References
----------
.. [1] H. Li, W. Zheng, J. Hu, et al. Predictable Scale: Part I, Step Law - Optimal Hyperparameter
       Scaling Law in Large Language Model Pretraining. arXiv:2503.04715, 2025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maquette.bench import files
from maquette.bench.family import Family
from maquette.bench.nearest import Nearest
from maquette.bench.task import Array, Card, Measured, Rows, Task, one_report
from maquette.errors import BenchmarkError
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.space import Float, Int, Space

_FILE = "steplaw/dense.csv"
_CARD = Card(
    source="github.com/step-law/steplaw, data/dense_lr_bs_loss.csv (32a8f4c)",
    licence="none stated: for tests and measurements, not to be redistributed",
    references=("arXiv:2503.04715",),
    files=(_FILE,),
)
_SIZES = {
    "215M": (214663680, (4e9, 1.14e10, 2e10, 1e11)),
    "268M": (268304384, (5e9, 1.42e10, 2.5e10, 8e10)),
    "429M": (429260800, (8e9, 2.27e10, 4e10, 5e10)),
    "537M": (536872960, (1e10, 2.84e10, 5e10)),
    "1074M": (1073741824, (2e10, 5.69e10)),
}
_CELLS = {f"{n}-{D / 1e9:g}B": (N, D) for n, (N, tokens) in _SIZES.items() for D in tokens}
_TRANSFER = "transfer"
_LARGEST = "1074M-56.9B"
_PROXIES = tuple((N, D) for N, D in _CELLS.values() if N < 3e8 and D <= 2.5e10)
_TARGETS = {f"to-{name}": name for name, (N, _) in _CELLS.items() if N > 4e8}
_SPEED = 1e15  # operations a second
_STEP = np.log(2) / 2  # between two learning rates of a grid; batch sizes are about as dense
_OBJECTIVE = Objective("loss", cost="flops")


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """The trainings of one cell: settings (k, 2) as (lr, bs), and losses (k,)."""

    settings: Array
    losses: Array
    nearest: Nearest


def cells() -> dict[tuple[int, float], Cell]:
    """Return the 17 cells by (N, D).

    Raises
    ------
    BenchmarkError
        If the data are missing, truncated or changed.
    """
    table = files.columns(_FILE, "steplaw")
    found = {}
    for N, D in _CELLS.values():
        here = (table["N"] == N) & (table["D"] == D)
        settings = np.stack([table["lr"][here], table["bs"][here]], axis=1)
        near = Nearest(settings, np.array([True, True]), np.full(2, _STEP))
        found[N, D] = Cell(settings, table["smooth loss"][here], near)
    return found


def _load(task: str) -> Task:
    every = cells()
    N, D = _CELLS[_LARGEST if task == _TRANSFER else _TARGETS.get(task, task)]
    target = every[N, D]
    proxies = _proxies(task, D)
    shown = [every[cell] for cell in every if cell in (*proxies, (N, D))]
    if task == _TRANSFER:
        shown = list(every.values())
    # The median of what random search would find, not of the trainings.
    space = _space(shown)
    draws = space.sample(np.random.default_rng(0), 4096)
    drawn = np.array([[c["lr"], c["bs"]] for c in draws], dtype=np.float64)

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        del rows
        n, d = (scale["N"], scale["D"]) if scale else (N, D)
        cell = every.get((int(n), float(d)))
        if cell is None:
            known = ", ".join(f"N={a} D={b:g}" for a, b in every)
            raise BenchmarkError(f"steplaw has no cell N={n:g} D={d:g}. There are: {known}")
        losses = cell.losses[cell.nearest(values)]
        flops = np.full(len(losses), 6.0 * n * d)
        return one_report({"loss": losses, "flops": flops}, flops / _SPEED, cost=flops)

    return Task(
        name=f"steplaw/{task}",
        about=f"learning rate and batch size at N = {N:.3g}, D = {D:.3g}"
        + (", from smaller models" if proxies else ""),
        space=space,
        objective=_OBJECTIVE,
        card=_CARD,
        backend=measure,
        optimum=float(target.losses.min()),
        median=float(np.median(target.losses[target.nearest(drawn)])),
        exact=True,
        scale=_scale(N, D, proxies) if proxies else None,
    )


def _space(shown: list[Cell]) -> Space:
    settings = np.concatenate([cell.settings for cell in shown])
    (lr, bs), (lr_most, bs_most) = settings.min(axis=0), settings.max(axis=0)
    return Space(
        {
            "lr": Float(float(lr), float(lr_most), log=True),
            "bs": Int(int(bs), int(bs_most), log=True),
        }
    )


def _proxies(task: str, D: float) -> Sequence[tuple[int, float]]:
    """Return the cells that a task may run beside its target; none: the target alone."""
    if task == _TRANSFER:
        largest = _CELLS[_LARGEST]
        return [cell for cell in _CELLS.values() if cell[1] <= D and cell != largest]
    return _PROXIES if task in _TARGETS else ()


def _scale(N: int, D: float, cells: Sequence[tuple[int, float]]) -> Scale:
    proxies = [{"N": n, "D": d} for n, d in cells]
    least = {axis: min(cell[axis] for cell in proxies) for axis in ("N", "D")}
    return Scale(proxies, N=(least["N"], N), D=(least["D"], D))


FAMILY = Family(
    "steplaw",
    "learning rate and batch size of language models, from 215M to 1.07B parameters",
    "table",
    _CARD,
    (*_CELLS, _TRANSFER, *_TARGETS),
    _load,
)
