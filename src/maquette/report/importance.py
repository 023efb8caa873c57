"""What mattered: what a setting costs when it stands where it was typically tried.

For each setting x_j, others at the model's best: I_j = mean over the values tried of the model's
relative excess loss, less that of the best settings themselves (doubt about where the best is is no
effect of a setting). It is the main effect of a functional ANOVA under the distribution of the
runs themselves, in units of loss instead of variance, so it adds over settings only roughly.

References
----------
Hutter, Hoos and Leyton-Brown (2014). An efficient approach for assessing hyperparameter
importance. ICML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from maquette.report.evidence import Evidence

if TYPE_CHECKING:
    from maquette.scaling import DriftModel

VALUES = 7  # quantiles of the values tried


@final
@dataclass(frozen=True, slots=True)
class Effect:
    """Relative excess loss of one setting at values typically tried, with a 90 % interval."""

    name: str
    mean: float
    low: float
    high: float


def effects(evidence: Evidence) -> list[Effect]:
    """Return the effect of every setting that varied, the largest first."""
    model = evidence.model
    if model is None:
        return []
    names = [s.name for s in model.runs.settings if s.varies]
    base = model.regret({}, **evidence.at).mean
    found = [_effect(model, evidence, name, base) for name in names]
    return sorted(found, key=lambda e: (-e.mean, e.name))


def _effect(model: DriftModel, evidence: Evidence, name: str, base: float) -> Effect:
    tried = [t.config[name] for t in evidence.history.trials if name in t.config]
    parts = [model.regret({name: v}, **evidence.at) for v in representative(tried)]
    mean, low, high = (
        float(np.mean([getattr(p, k) for p in parts])) - base for k in ("mean", "low", "high")
    )
    return Effect(name, max(0.0, mean), max(0.0, low), max(0.0, high))


def representative(values: Sequence[Any]) -> list[Any]:
    """Return quantiles of the numbers tried, or every choice tried."""
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not numeric:
        return sorted(set(values), key=str)
    shares = (np.arange(VALUES) + 0.5) / VALUES
    return [float(v) for v in np.quantile(np.asarray(values, dtype=float), shares)]
