"""Studies with and without a scale, folded by hand from runs of a known function."""

from __future__ import annotations

import math

import numpy as np

from maquette.events import Body, Ended, Event, Proposed, Reported, Started
from maquette.fidelity import Duration
from maquette.history import History, Problem
from maquette.objective import Objective
from maquette.scale import Scale
from maquette.space import Float, Space
from maquette.trial import State

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&"


def space(rate: str = "lr", decay: str = "decay") -> Space:
    return Space(
        {
            rate: Float(1e-3, 1e-1, log=True, default=0.05),
            decay: Float(1e-2, 1.0, log=True),
        }
    )


def history(
    n: int = 60, *, scaled: bool = True, optimum: float = 0.01, names: tuple[str, str] | None = None
) -> History:
    """Trials whose loss is least at lr = `optimum` everywhere; every seventh stops."""
    rate, decay = names or ("lr", "decay")
    rng = np.random.default_rng(7)
    scale = Scale([{"width": w} for w in (32, 64)], width=(32, 256)) if scaled else None
    where = space(rate, decay)
    problem = Problem(where, Objective.parse("loss"), Duration.parse({"steps": (4, 16)}), scale)
    events: list[Event] = []

    def add(body: Body, time: float) -> None:
        events.append(Event(len(events) + 1, time, body))

    for i, config in enumerate(where.sample(rng, n)):
        cell = dict(scale.cells[i % 2]) if scale else {}
        loss = _loss(float(config[rate]), cell, optimum, rng)
        died = float(config[rate]) > 0.08
        stopped = i % 7 == 3 and not died
        add(Proposed(i, i, config, {"steps": 16.0}, cell, origin="sobol"), float(i))
        add(Started(i, i, "driver", 1), float(i))
        for step in (1, 2, 4, 8, 16)[: 3 if stopped or died else 5]:
            add(Reported(i, i, float(step), {"loss": loss + 1 / step}), float(i))
        state = State.DIVERGED if died else State.STOPPED if stopped else State.DONE
        metrics = {} if died else {"loss": loss}
        add(Ended(i, i, state, metrics, None, 1.0, HOSTILE if died else ""), i + 1.0)
    return History(problem, events)


def _loss(lr: float, cell: dict[str, float], optimum: float, rng: np.random.Generator) -> float:
    u = math.log(lr / optimum)
    floor = 1.0 + 1.0 * (cell.get("width", 32) / 32) ** -0.3
    return float(floor * math.exp(0.04 * u * u + 0.002 * rng.standard_normal()))
