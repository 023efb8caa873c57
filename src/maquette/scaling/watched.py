"""The curves of a study's own trials, for a watch over the run that it led to.

Trials near the best of their cell are sound. A trial with one setting far from that of the best,
the others near it, shows what that wrong setting does: the search has run the faults by itself.
"""

from __future__ import annotations

import math

from maquette.history import History
from maquette.records import TrialRecord
from maquette.scaling.band import Curve
from maquette.space import Float
from maquette.trial import State

SOUND = 0.02  # relative excess of a sound trial over the best of its cell
FAR, NEAR = math.log(2.5), math.log(2.0)  # of settings, from those of the best
LEAST = 3  # reports of a curve
# Settings by the names that they customarily have, in words.
_WORDS = {"lr": "learning rate", "learning_rate": "learning rate", "wd": "weight decay",
          "weight_decay": "weight decay", "warmup": "warm-up"}  # fmt: skip


def curves(history: History) -> list[Curve]:
    """Return the sound and the faulty curves of a history, those that are neither left out.

    Only trials that ran to their end are taken: the decay of a stopped one has not come.
    """
    found = []
    cells = {tuple(sorted(t.scale.items())) for t in history.trials}
    for cell in sorted(cells):
        done = [
            t
            for t in history.in_cell(dict(cell))
            if t.state is State.DONE and len(t.steps) >= LEAST and math.isfinite(t.loss)
        ]
        if not done:
            continue
        best = min(done, key=lambda t: t.loss)
        for trial in done:
            cause = _cause(history, trial, best)
            if cause is not None:
                last = max(trial.steps[-1], 1.0)
                found.append(
                    Curve(
                        tuple((s + 1) / (last + 1) for s in trial.steps),
                        tuple(trial.losses),
                        dict(trial.scale),
                        cause,
                    )
                )
    return found


def _cause(history: History, trial: TrialRecord, best: TrialRecord) -> str | None:
    """Empty: sound; ``None``: neither sound nor plainly wrong in one setting."""
    if trial.loss - best.loss <= SOUND * abs(best.loss):
        return ""
    off = {}
    for name, parameter in history.space.items():
        a, b = trial.config.get(name), best.config.get(name)
        if isinstance(parameter, Float) and parameter.log and a is not None and b is not None:
            off[name] = math.log(float(a)) - math.log(float(b))
        elif a != b and not isinstance(parameter, Float):
            return None
    far = {n: x for n, x in off.items() if abs(x) > FAR}
    if len(far) != 1 or any(abs(x) > NEAR for n, x in off.items() if n not in far):
        return None
    ((name, x),) = far.items()
    return f"{_WORDS.get(name, name)} too {'high' if x > 0 else 'low'}"
