"""What a report is made from: a history, and the drift model where one can be fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from maquette.errors import MaquetteError
from maquette.history import History, TrialRecord
from maquette.report.words import percent
from maquette.study.best import Best, find_best
from maquette.study.front import Front, find_front
from maquette.study.study import Study

if TYPE_CHECKING:
    from maquette.scaling import DriftModel, Recipe

ENOUGH = 3  # finished runs without which no model is worth its interval
WIDEST = 0.5  # relative scatter about a valley beyond which it says nothing
TIE = 0.02  # relative excess of the best run that a valley may show however little runs scatter


@final
@dataclass(frozen=True, slots=True)
class Evidence:
    """A study as a report sees it.

    Attributes
    ----------
    history
        The study's history.
    best
        The best config, None while nothing has finished.
    model
        Loss over settings and scale; None where it cannot be fitted.
    recipe
        What to use at the target; None without a scale or a model.
    missing
        Why there is no model, in words.
    """

    history: History
    best: Best | None
    model: DriftModel | None
    recipe: Recipe | None
    missing: str = ""

    @property
    def done(self) -> list[TrialRecord]:
        """Trials that ran to their end with a result."""
        return finished_with_result(self.history)

    @property
    def front(self) -> Front | None:
        """The front of a study of several metrics; None for one, or while no trial is on it."""
        if self.best is None or len(self.history.objective.metrics) < 2:
            return None
        return find_front(self.history)

    @property
    def at(self) -> Mapping[str, float]:
        """The cell that sentences about the optimum speak of: the recipe's, else the best's."""
        if self.recipe is not None:
            return self.recipe.at
        return self.best.scale if self.best is not None else {}


def finished_with_result(history: History) -> list[TrialRecord]:
    """Return the trials that ran to their end and gave a finite loss, in order of proposal."""
    return [t for t in history.trials if math.isfinite(t.loss)]


def gather(
    source: Study | History,
    model: DriftModel | None = None,
    recipe: Recipe | None = None,
    at: Mapping[str, float] | None = None,
) -> Evidence:
    """Fit what can be fitted; nothing here fails for lack of runs.

    Parameters
    ----------
    source
        A study or its history.
    model, recipe
        If they are at hand already.
    at
        The target; axes left out stand at the scale's own target.

    Raises
    ------
    ScaleError
        If `at` names an unknown axis or holds something that is not a positive number.
    """
    history = source if isinstance(source, History) else source.history
    scale = history.problem.scale
    target = scale.complete(at or {}) if scale is not None else {}
    missing = ""
    if model is None:
        model, missing = _model(history)
    if recipe is None and model is not None and scale is not None:
        recipe = model.recipe(**target)
    return Evidence(history, _best(history), model, recipe, missing)


def _best(history: History) -> Best | None:
    try:
        return find_best(history)
    except MaquetteError:
        return None


def _model(history: History) -> tuple[Any, str]:
    """Fit the drift model; without a scale it is the same valley at one scale."""
    from maquette import scaling
    from maquette.scaling.evidence import hard_bounds, runs
    from maquette.study.evidence import fit_drift

    done = finished_with_result(history)
    if len(done) < ENOUGH:
        return None, f"{len(done)} runs have finished; a fit needs {ENOUGH} or more"
    try:
        if history.axes:
            return fit_drift("study", history), ""
        table, settings = runs(history)
        bounds = hard_bounds(history.space, settings)
        model = scaling.fit(table, settings=settings, scale=[], loss="loss", bounds=bounds)
        return (None, missing) if (missing := _misfit(history, model)) else (model, "")
    except MaquetteError as error:
        return None, str(error)


def _misfit(history: History, model: DriftModel) -> str:
    """Say that a valley does not describe the runs; without a scale no verdict says it.

    A search has looked closely around its best config. A valley whose bottom lies elsewhere by
    more than the scatter of the runs is not theirs, and what it says of flatness is wrong.
    """
    best = _best(history)
    residual = model.noise()["residual"] or 0.0
    if best is None or residual > WIDEST:
        return f"the runs scatter by {percent(residual)} about every valley"
    excess = model.regret(best.config).mean
    if excess > max(TIE, 2 * residual):
        return (
            f"the best run lies {percent(excess)} above the valley that was fitted to all of them"
        )
    return ""
