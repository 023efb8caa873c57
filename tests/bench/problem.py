"""A family of small tasks, computed here, that the tests put into the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import maquette as mq
from maquette.bench.family import Family
from maquette.bench.task import Array, Card, Measured, Rows, Task, all_done

CARD = Card("made for the tests", "Apache-2.0")
SPACE = mq.Space({"x": mq.Float(0.0, 1.0), "n": mq.Int(1, 9), "c": mq.Choice(["a", "b"])})
NAMES = ("valley", "hill")


def _task(name: str) -> Task:
    centre = 0.3 if name == "valley" else 0.6

    def measure(values: Array, rows: Rows | None, scale: Mapping[str, float]) -> Measured:
        x, n, c = values.T
        loss = (x - centre) ** 2 + (n - 4) ** 2 / 100 + 0.1 * c
        noise = 0.0 if rows is None else 0.01 * np.cos(rows % 997)
        seconds = np.full((len(values), 1), 10.0) + n[:, None]
        return Measured(
            np.array([1.0]), {"loss": (loss + noise)[:, None]}, seconds, None,
            all_done(len(values)), seconds[:, 0],
        )  # fmt: skip

    return Task(
        f"toy/{name}", "a bowl", SPACE, mq.Objective(minimize="loss"), CARD, measure, 0.0, 0.2
    )


TOY = Family("toy", "bowls", "function", CARD, NAMES, _task)
