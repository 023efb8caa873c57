"""Studies on virtual time, and what they replay."""

from __future__ import annotations

import maquette as mq
from maquette.simulate import End, simulate, stretch, virtual_store
from maquette.store import codec
from maquette.trial import Report
from tests.schedule.simulator import Curves, D

CURVES = Curves(rho=0.3, noise=0.002)


def a_study(**options):
    options = {"searcher": "random", **options}
    space = options.pop("space", {"x": mq.Float(0, 1)})
    return mq.Study("replayed", space, store=virtual_store(), **options)


def curves_study(**options):
    space = {f"x{i}": mq.Float(0, 1) for i in range(D)}
    return a_study(space=space, **{"fidelity": {"t": (1, 81)}, **options})


def lasting(*seconds):
    """Trials that last so long, one after the other; the loss is the trial's number."""

    def objective(trial):
        return [End(float(trial.number), seconds[trial.number % len(seconds)])]

    return objective


def epochs(trial):
    """The family of curves; an epoch takes a second."""
    whole = (
        Report(t, {"loss": CURVES.loss(trial.config, t)}, None, float(t)) for t in range(1, 82)
    )
    return stretch(whole, trial)


def run(objective, budget, workers=1, *, study=None, how=None, **options):
    study = study or a_study(**options)
    return study, simulate(study, objective, budget, workers, **(how or {}))


def log(study, *kinds):
    """(time, kind, trial) of the events, in order."""
    return [
        (e.time, e.kind, e.body.trial)
        for e in study.store.read(1)
        if e.kind in (kinds or ("proposed", "started", "reported", "ended"))
    ]


def written(study):
    """All events as text, every bit of them."""
    return [(e.number, e.time.hex(), e.kind, codec.encode(e.body)) for e in study.store.read(1)]
