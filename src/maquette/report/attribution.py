"""What a study's metric depends on under its Gaussian process: in sentences, and as data.

It speaks where no valley fits all runs, of choices and conditional settings too, and of any number
of settings; it takes the place of effects under the valley where there is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maquette.errors import StudyError
from maquette.number import Z90
from maquette.report.evidence import Evidence
from maquette.report.words import listed, percent, short
from maquette.space import Choice
from maquette.study.importance import SMALL, Importance, cell_row, find_importance

MOST = 8  # settings that are drawn
CANDIDATES = 2048


def importance_of(evidence: Evidence) -> Importance | None:
    """Return what the primary metric depends on; None where there are too few trials to say."""
    history = evidence.history

    def find() -> Importance | None:
        try:
            return find_importance(history)
        except StudyError:
            return None

    found: Importance | None = history.memo.kept(("importance", history.last), find)
    return found


def idle(evidence: Evidence) -> set[str]:
    """Return the settings of which no effect shows; none where too few trials can tell."""
    found = importance_of(evidence)
    return set() if found is None else {e.name for e in found if e.total < SMALL}


def matter(evidence: Evidence) -> str:
    """Say what mattered, what does not, and what more trials are expected to gain."""
    found = importance_of(evidence)
    if found is None:
        return ""
    large = [e for e in found if e.total >= SMALL]
    parts = []
    if large:
        shares = listed(f"{e.name} ({percent(e.total)})" for e in large)
        both = " (what two do together counts with each)" if sum(e.total for e in large) > 1 else ""
        parts.append(f"What mattered, by its share of the variance over the space{both}: {shares}.")
    pairs = [i for i in found.interactions if i.share >= SMALL]
    if pairs:
        told = listed(f"{i.names[0]} with {i.names[1]} ({percent(i.share)})" for i in pairs)
        parts.append(f"Only together: {told}.")
    return " ".join([*parts, *found.sentences(), *_gain(evidence)])


def _gain(evidence: Evidence) -> list[str]:
    """Say what one more trial would gain at the most promising config, by expected improvement."""
    best, history = evidence.best, evidence.history
    if best is None or len(history.objective.metrics) > 1:
        return []
    from scipy.special import ndtr
    from scipy.stats import qmc

    from maquette.surrogate.attribution import model_of

    model = model_of(history, history.finished, cell_row(history, history.finished))
    d = len(history.space.names)
    at = model.place(qmc.Sobol(d, scramble=True, seed=0).random(CANDIDATES))
    scale = np.repeat(model.scale, CANDIDATES, axis=0)
    mean, variance = model.posterior.predict(at)
    # What one measurement may move the mean by, as in `maquette.search.acquisition`.
    moved = variance / np.sqrt(variance + model.posterior.theta.noise_variance)
    loss, sd = model.seen.losses(mean, moved, scale)
    z = (history.objective.value(best.value) - loss) / sd
    expected = sd * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))
    most = float(expected.max())
    size = abs(best.value) or 1.0
    if most < 1e-3 * size:
        return ["One more trial is expected to gain next to nothing."]
    return [f"One more trial is expected to gain about {short(most, 2)}."]


def shares(evidence: Evidence) -> list[dict[str, Any]]:
    """Total effects with intervals, the largest first."""
    found = importance_of(evidence)
    if found is None:
        return []
    return [
        {"name": e.name, "mean": e.total, "low": e.interval[0], "high": e.interval[1]}
        for e in found
    ]


def dependences(evidence: Evidence) -> list[dict[str, Any]]:
    """Partial dependence on each setting that matters, with the model's 90 % interval.

    `mean`, `low` and `high` with the other settings anywhere in the space, `best`, `best_low` and
    `best_high` with them as in the best config.
    """
    found, best, history = importance_of(evidence), evidence.best, evidence.history
    if found is None or best is None:
        return []
    from maquette.surrogate.attribution import dependence, model_of

    space, objective = history.space, history.objective
    if not space.admits(best.config):
        return []
    model = model_of(history, history.finished, cell_row(history, history.finished))
    row = space.encode(space.normalise({k: v for k, v in best.config.items() if k in space}))[0]
    out = []
    for effect in [e for e in found if e.total >= SMALL][:MOST]:
        j = space.names.index(effect.name)
        curve = dependence(model, j, row)
        parameter = space[effect.name]
        values = parameter.values if isinstance(parameter, Choice) else None
        rows = np.repeat(row[None], len(curve.at), axis=0)
        rows[:, j] = curve.at
        decoded = [c.get(effect.name) for c in space.from_unit(rows)]
        panel: dict[str, Any] = {
            "setting": effect.name,
            "metric": objective.primary,
            "log": bool(getattr(parameter, "log", False)),
            "x": list(values) if values is not None else decoded,
        }
        for name, mean, sd in (
            ("", curve.mean, curve.sd),
            ("best", curve.best, curve.best_sd),
        ):
            ends = [objective.value(float(m)) for m in mean]
            panel[name or "mean"] = ends
            for side, sign in (("low", -Z90), ("high", Z90)):
                key = f"{name}_{side}" if name else side
                panel[key] = [v + sign * float(s) for v, s in zip(ends, sd, strict=True)]
        out.append(panel)
    return out
